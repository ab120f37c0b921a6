public import Evidence
import Glibc
public import Platform
import Scenarios
public import SystemPackage

/// What can be seen of a trial from outside, through its own `/proc`, `/tmp` and `/dev/shm`.
public struct Observation {
    let proc: Descriptor
    private let temporary: Descriptor
    private let sharedMemory: Descriptor
    /// What tells which sockets of the trial's network are connected; nil where the host has no such thing.
    let sockets: SocketPeers?
    private let visible: [String]
    private static let mostEntries = 1000
    /// How the names of files begin that Fracas itself puts into a trial's `/tmp`.
    public static let ownPrefix = ".fracas-"

    /// Looks at a sandbox by the directories it handed out; `visible` are the paths below `/tmp` that belong to the host.
    public init(
        proc: Descriptor, temporary: Descriptor, sharedMemory: Descriptor, sockets: SocketPeers? = nil,
        visible: [String]
    ) {
        self.sockets = sockets
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

    /// Writes a small file into the trial's `/tmp`, so that nobody ever reads half of it.
    /// - Throws: the errno of the call that failed.
    public func writeTemporary(_ text: String, to name: String) throws(Errno) {
        try temporary.replace(name, with: Array(text.utf8))
    }

    /// Puts a link into the trial's `/tmp`.
    /// - Throws: the errno of `symlinkat(2)`.
    public func linkTemporary(_ name: String, to path: String) throws(Errno) {
        try check(symlinkat(path, temporary.raw, name))
    }

    /// What is left in the trial.
    public func census(_ table: ProcessTable, decided: Int, intercepted: Int) -> Census {
        var census = Census(decided: decided, intercepted: intercepted)
        for (pid, state) in processes() {
            let subject = Subject(pid: pid, role: table.process(pid: pid)?.role)
            if state == "Z" { census.zombies.append(subject) } else { census.alive.append(subject) }
        }
        census.sharedMemory = Self.list(sharedMemory, "", leavingOut: [])
        let kept = visible.filter { $0.hasPrefix("/tmp/") }.map { String($0.dropFirst(5)) }
        census.temporary = Self.list(temporary, "", leavingOut: kept)
        // A port that nobody holds is closed; and the kernel goes through every connection of the host to list them.
        if !census.alive.isEmpty, hasNetwork() { census.ports = listeners().map(\.port).sorted() }
        return census
    }

    /// What is in a directory, but for what Fracas put there and what is the host's own: that may be a whole checkout, and must not take
    /// the place of what a target left.
    private static func list(
        _ directory: Descriptor, _ prefix: String, leavingOut kept: [String], depth: Int = 0
    ) -> [String] {
        var found: [String] = []
        for name in ((try? directory.entries()) ?? []).sorted() where !(prefix + name).hasPrefix(ownPrefix) {
            guard found.count < mostEntries else { break }
            let entry = prefix + name
            if kept.contains(entry) { continue }
            if !kept.contains(where: { $0.hasPrefix(entry + "/") }) { found.append(entry) }
            guard depth < 8, let inner = try? directory.open(at: name, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            else { continue }
            found += list(inner, entry + "/", leavingOut: kept, depth: depth + 1)
        }
        return found
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
