public import Evidence
import Glibc
public import Platform
import Scenarios
public import SystemPackage

/// What can be seen of a trial from outside, through its own `/proc`, `/tmp` and `/dev/shm`.
public struct Observation {
    private let proc: Descriptor
    private let temporary: Descriptor
    private let sharedMemory: Descriptor
    private let visible: [String]
    private static let mostEntries = 1000
    /// How the names of files begin that Fracas itself puts into a trial's `/tmp`.
    public static let ownPrefix = ".fracas-"

    /// Looks at a sandbox by the directories it handed out; `visible` are the paths below `/tmp` that belong to the host.
    public init(proc: Descriptor, temporary: Descriptor, sharedMemory: Descriptor, visible: [String]) {
        self.proc = proc
        self.temporary = temporary
        self.sharedMemory = sharedMemory
        self.visible = visible
    }

    /// Every process in the trial but its init, by its id inside, with its state letter of `proc(5)`: `Z` only for one that has ended
    /// altogether, `L` for one whose first thread has and others have not.
    public func processes() -> [(pid: Int32, state: Character)] {
        let numbers = ((try? proc.entries()) ?? []).compactMap { Int32($0) }.filter { $0 > 1 }.sorted()
        return numbers.compactMap { pid in
            guard let bytes = try? proc.open(at: "\(pid)/stat").readAll() else { return nil }
            guard let stat = ProcessStat(parsing: bytes) else { return nil }
            return (pid, stat.state == "Z" && !stat.hasEnded ? "L" : stat.state)
        }
    }

    /// Whether anything may be on its way in the trial's network: an internet socket is there, be it only a closed one's last words.
    public func hasNetwork() -> Bool {
        ["sockstat", "sockstat6"].contains { name in
            guard let bytes = try? proc.open(at: "1/net/\(name)").readAll() else { return true }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains { line in
                let words = line.split(separator: " ")
                // `orphan`, `alloc` and `mem` are the whole host's.
                return zip(words, words.dropFirst()).contains { ["inuse", "tw"].contains($0) && $1 != "0" }
            }
        }
    }

    /// Writes a small file into the trial's `/tmp`, so that nobody ever reads half of it.
    /// - Throws: the errno of the call that failed.
    public func writeTemporary(_ text: String, to name: String) throws(Errno) {
        try temporary.replace(name, with: Array(text.utf8))
    }

    /// What is left in the trial.
    public func census(_ table: ProcessTable, decided: Int, intercepted: Int) -> Census {
        var census = Census(decided: decided, intercepted: intercepted)
        for (pid, state) in processes() {
            let subject = Subject(pid: pid, role: table.process(pid: pid)?.role)
            if state == "Z" { census.zombies.append(subject) } else { census.alive.append(subject) }
        }
        census.sharedMemory = Self.list(sharedMemory, "")
        let kept = visible.filter { $0.hasPrefix("/tmp/") }.map { String($0.dropFirst(5)) }
        census.temporary = Self.list(temporary, "").filter { entry in
            !entry.hasPrefix(Self.ownPrefix)
                && !kept.contains { $0 == entry || $0.hasPrefix(entry + "/") || entry.hasPrefix($0 + "/") }
        }
        // A port that nobody holds is closed; and the kernel goes through every connection of the host to list them.
        if !census.alive.isEmpty, hasNetwork() { census.ports = ["tcp", "tcp6"].flatMap(listeningPorts).sorted() }
        return census
    }

    private static func list(_ directory: Descriptor, _ prefix: String, depth: Int = 0) -> [String] {
        var found: [String] = []
        for name in ((try? directory.entries()) ?? []).sorted() {
            guard found.count < mostEntries else { break }
            found.append(prefix + name)
            guard depth < 8, let inner = try? directory.open(at: name, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            else { continue }
            found += list(inner, prefix + name + "/", depth: depth + 1)
        }
        return found
    }

    private func listeningPorts(_ table: String) -> [Int] {
        guard let bytes = try? proc.open(at: "1/net/\(table)").readAll() else { return [] }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            // 0A is TCP_LISTEN; the local address is HEX:PORT.
            guard fields.count > 3, fields[3] == "0A" else { return nil }
            return fields[1].split(separator: ":").last.flatMap { Int($0, radix: 16) }
        }
    }

    /// Where each thread of a process is stuck.
    public static func stuckThreads(of process: TrackedProcess, in table: ProcessTable) -> [StuckThread] {
        let tasks = "/proc/\(process.hostPid)/task"
        return ProcFile.numbers(tasks).prefix(64).compactMap { thread in
            let path = "\(tasks)/\(thread)"
            guard let status = ProcFile.text("\(path)/status"),
                let state = ProcFile.field("State:", in: status)?.prefix(1)
            else { return nil }
            let inner = ProcessStatus(parsing: Array(status.utf8), level: table.level)?.innerThread
            let fields = ProcFile.text("\(path)/syscall")?.split(separator: " ") ?? []
            let number = fields.first.flatMap { Int32($0) }
            let argument = fields.count > 1 ? Int(fields[1].dropFirst(2), radix: 16) : nil
            let wait = ProcFile.text("\(path)/wchan")
            return StuckThread(
                subject: process.subject, thread: inner ?? thread, state: String(state),
                call: number.flatMap { CallNames.name(of: $0) }, wait: wait == "0" ? nil : wait,
                descriptor: argument.flatMap { ProcFile.link("/proc/\(process.hostPid)/fd/\($0)") })
        }
    }

    /// What a process holds beyond what it was born with, and which children it has not waited for. To be called while the
    /// kernel holds it in `exit_group(2)`.
    public static func holdings(of process: TrackedProcess, in table: ProcessTable) -> Holdings {
        var kinds: [String: Int] = [:]
        for (number, link) in process.descriptors() where number > 2 && !process.bornWith.contains(link) {
            kinds[kind(of: link), default: 0] += 1
        }
        let zombies = table.all.filter { child in
            child.parent == process.pid && child !== process && child.handle?.pid() == child.hostPid
                && ProcessStat(of: child.hostPid)?.hasEnded == true
        }
        return Holdings(subject: process.subject, descriptors: kinds, zombies: zombies.map(\.subject))
    }

    private static func kind(of link: String) -> String {
        if link.hasPrefix("/") { return link.hasPrefix("/dev/shm/") ? "shm" : "file" }
        if link.hasPrefix("anon_inode:") {
            return String(link.dropFirst("anon_inode:".count).filter { $0 != "[" && $0 != "]" })
        }
        return String(link.prefix { $0 != ":" })
    }
}
