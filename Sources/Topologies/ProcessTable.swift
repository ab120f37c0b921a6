public import Evidence
import Glibc
public import Platform
public import Scenarios

/// One process of a trial. Used under the trial's lock.
public final class TrackedProcess {
    /// The process id in our own pid namespace.
    public let hostPid: Int32
    /// The process id inside the trial.
    public let pid: Int32
    /// Its parent's id inside the trial when it was born.
    public let parent: Int32
    /// Whether Fracas started it itself.
    public let isTopLevel: Bool
    /// Its pidfd; nil when the process was gone before one could be had.
    public let handle: ProcessHandle?
    /// Its role, once known.
    public internal(set) var role: Role? { didSet { standing = nil } }
    /// How it came to be what it is.
    public internal(set) var start = Topology.Start.fork
    /// Whether it has entered `execve(2)` and not shown itself since.
    var isChangingProgram = false
    /// The names of its captured streams (`pipe:[…]`): 1 is standard output, 2 standard error.
    public var streams: [Int32: String] = [:]
    /// Its descriptors when it was born, as links: what it holds beyond them at its exit is its own.
    public internal(set) var bornWith: Set<String> = []
    /// The names of its descriptors' objects when it called `exit_group(2)`: it may have been a channel's other end.
    public var heldAtExit: Set<String> = []
    /// The code it gave to `exit_group(2)`, if it has.
    public var exitCode: Int32?
    /// How it ended, as `wait(2)` gives it, as init told us.
    public var reapedStatus: Int32?
    /// Whether its program runs, or ran: for one that Fracas started, from when the launcher was replaced by it.
    public var runs = false
    /// What bears on whether it can go on, and on who is to blame for what it does.
    public var dealings = Dealings()
    /// Whether its end was recorded.
    public var hasExited = false
    /// How many calls of each number were intercepted, for the ledger. Indexed by number; numbers past the end share the last.
    public let calls: UnsafeMutableBufferPointer<Int32>
    /// What the gate keeps with it: which of the plan's points it can reach, and as whom it is counted. Nil until looked up, and
    /// again when its role has changed.
    public var standing: Standing?

    /// Which points of a plan a process can reach.
    public struct Standing {
        /// A bit for each decision of the schedule.
        public let points: PointSet
        /// As whom its arrivals are counted.
        public let slot: Int
        /// Makes a standing.
        public init(points: PointSet, slot: Int) {
            self.points = points
            self.slot = slot
        }
    }

    /// A set of decisions of a schedule, by their places: at most as many as it has bits.
    public typealias PointSet = SIMD4<UInt64>

    private static let callNumbers = 512

    init(hostPid: Int32, pid: Int32, parent: Int32, handle: ProcessHandle?, isTopLevel: Bool) {
        self.hostPid = hostPid
        self.pid = pid
        self.parent = parent
        self.handle = handle
        self.isTopLevel = isTopLevel
        calls = .allocate(capacity: Self.callNumbers)
        calls.initialize(repeating: 0)
    }

    deinit { calls.deallocate() }

    /// Counts one intercepted call.
    public func count(call: Int32) {
        calls[Int(call) & (Self.callNumbers - 1) == Int(call) ? Int(call) : Self.callNumbers - 1] += 1
    }

    /// What the ledger calls it.
    public var subject: Subject { Subject(pid: pid, role: role) }

    /// Whether this signal ends it: one that cannot be, or is not, caught, ignored or blocked, and whose default is to end.
    public func isEnded(by signal: Signal) -> Bool {
        if signal == .kill { return true }
        let harmless = ["SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH"]
        guard !harmless.contains(signal.description), let status = ProcFile.text("/proc/\(hostPid)/status") else {
            return false
        }
        let bit = UInt64(1) << UInt64(signal.number - 1)
        return ["SigCgt:", "SigIgn:", "SigBlk:"].allSatisfy { name in
            let mask = ProcFile.field(name, in: status).flatMap { UInt64($0, radix: 16) } ?? 0
            return mask & bit == 0
        }
    }

    /// The names of its open descriptors' objects by number.
    public func descriptors() -> [Int32: String] {
        let directory = "/proc/\(hostPid)/fd"
        var links: [Int32: String] = [:]
        for number in ProcFile.numbers(directory) { links[number] = ProcFile.link("\(directory)/\(number)") }
        return links
    }
}

/// The processes of a trial: who is whose child, and which role each has. Roles come from ancestry, never from what a
/// process says of itself. Looked up at every stopped call, and so a reference: copies of it would cost more than the look-up.
public final class ProcessTable {
    /// Every process ever seen, in the order of birth.
    public private(set) var all: [TrackedProcess] = []
    /// Grows with every process and every new role: what was derived from the table is stale then.
    public private(set) var generation = 0
    private let rules: [(rule: Topology.Child, command: Regex<AnyRegexOutput>?)]
    private var byThread: [Int32: TrackedProcess] = [:]
    private var byPid: [Int32: TrackedProcess] = [:]
    private var taken: [Role: Int] = [:]
    /// Roles of processes that have not shown themselves yet, by their ids in our own pid namespace.
    private var promises: [Int32: Role] = [:]

    /// A table for a topology.
    /// - Throws: `TopologyError` when a rule's expression is not a regular expression.
    public init(_ topology: Topology) throws(TopologyError) {
        do {
            rules = try topology.children.map { ($0, try $0.command.map { try Regex($0) }) }
        } catch { throw TopologyError("a child rule's command pattern: \(error)") }
    }

    /// Adds a process that Fracas started.
    public func add(topLevel pid: Int32, handle: ProcessHandle, role: Role) -> TrackedProcess? {
        guard let host = handle.pid() else { return nil }
        let process = TrackedProcess(hostPid: host, pid: pid, parent: 1, handle: handle, isTopLevel: true)
        process.role = role
        process.start = .spawn
        remember(process, thread: host)
        return process
    }

    private func remember(_ process: TrackedProcess, thread: Int32) {
        all.append(process)
        generation += 1
        byThread[thread] = process
        byPid[process.pid] = process
    }

    /// The process a thread belongs to, if it is known; costs one look-up.
    public func process(of thread: Int32) -> TrackedProcess? { byThread[thread] }

    /// The process with this id inside the trial: the latest one, should the id have been used twice.
    public func process(pid: Int32) -> TrackedProcess? { byPid[pid] }

    /// The names of all captured streams.
    public var capturedStreams: Set<String> { Set(all.flatMap(\.streams.values)) }

    /// The processes that match, whether they live or not.
    public func all(_ pattern: RolePattern) -> [TrackedProcess] {
        all.filter { $0.role.map(pattern.matches) ?? false }
    }

    /// The live processes that match.
    public func live(_ pattern: RolePattern) -> [TrackedProcess] {
        all.filter { !$0.hasExited && ($0.role.map(pattern.matches) ?? false) }
    }

    /// What `identify` found out.
    public enum Identity {
        /// A thread of a process that was known already.
        case known(TrackedProcess)
        /// A process nobody had seen.
        case born(TrackedProcess, command: String)
        /// A known process with a new program.
        case changed(TrackedProcess, command: String)
        /// The thread is gone.
        case gone
    }

    /// Finds out whose thread this is. To be called while the kernel holds the thread in a call, when what `/proc` says of it
    /// cannot change. `announces` says that the call is one that new processes and programs make first, `isExecuting`
    /// that it puts another program in the process's place.
    public func identify(_ thread: Int32, announces: Bool, isExecuting: Bool) -> Identity {
        if let known = byThread[thread], !announces { return .known(known) }
        guard let status = ProcessStatus(of: thread) else { return .gone }
        let group = status.group
        if thread != group, let owner = byThread[group], !owner.hasExited {
            byThread[thread] = owner
            return .known(owner)
        }
        if let known = byThread[thread], !known.hasExited, known.hostPid == thread {
            guard known.isChangingProgram else { return .known(known) }
            known.isChangingProgram = false
            known.start = .spawn
            let command = Self.command(of: thread)
            if !known.isTopLevel { assignRole(to: known, command: command) }
            known.bornWith = Set(known.descriptors().values)
            return .changed(known, command: command)
        }
        let pid = thread == group ? status.innerThread : Self.innerPid(of: group) ?? status.innerThread
        let innerParent = byThread[status.parent]?.pid ?? 1
        let handle = try? ProcessHandle(pid: group)
        let process = TrackedProcess(hostPid: group, pid: pid, parent: innerParent, handle: handle, isTopLevel: false)
        remember(process, thread: group)
        byThread[thread] = process
        let command = Self.command(of: group)
        // A child made by vfork(2) shows itself first as it enters execve(2): it gets its role with its own program.
        if announces || !isExecuting { assignRole(to: process, command: command) }
        // Only of those with a role is it asked what they hold at their end.
        if process.role != nil { process.bornWith = Set(process.descriptors().values) }
        return .born(process, command: command)
    }

    /// Notes that a process has entered `execve(2)`.
    public func entersNewProgram(_ process: TrackedProcess) { process.isChangingProgram = true }

    private func assignRole(to process: TrackedProcess, command: String) {
        process.role = nil
        generation += 1
        guard let parent = nearestRole(above: process.parent),
            rules.contains(where: { $0.rule.parent.matches(parent) })
        else {
            promises[process.hostPid] = nil
            return
        }
        settleElders(of: process, parent)
        let promised = promises.removeValue(forKey: process.hostPid)
        guard let kind = kind(under: parent, process.start, command) else { return }
        let keeps = promised.map { $0.ancestors.first == parent && $0.segments.last?.name == kind } ?? false
        process.role = keeps ? promised : take(kind, under: parent)
    }

    /// Gives their numbers to siblings that are older but have not shown themselves yet: indices follow the order of birth,
    /// whichever process the host's scheduler lets run first. An older one that then becomes something else leaves a gap.
    private func settleElders(of process: TrackedProcess, _ parent: Role) {
        guard let owner = byPid[process.parent], owner.pid != process.pid else { return }
        let elders = Self.children(of: owner.hostPid)
            .filter { host in
                guard host != process.hostPid, promises[host] == nil else { return false }
                guard let known = byThread[host], !known.hasExited else { return true }
                return known.isChangingProgram
            }
            .compactMap { host in Self.innerPid(of: host).map { (host, $0) } }
            .filter { $0.1 < process.pid }
            .sorted { $0.1 < $1.1 }
        for (host, _) in elders {
            let start: Topology.Start = byThread[host] == nil ? .fork : .spawn
            guard let kind = kind(under: parent, start, Self.command(of: host)) else { continue }
            promises[host] = take(kind, under: parent)
        }
    }

    /// What the rules call a child that started so, with this command.
    private func kind(under parent: Role, _ start: Topology.Start, _ command: String) -> String? {
        for (rule, pattern) in rules where rule.parent.matches(parent) {
            guard rule.start == .any || rule.start == start else { continue }
            if let pattern, command.firstMatch(of: pattern) == nil { continue }
            return rule.name
        }
        return nil
    }

    private func take(_ kind: String, under parent: Role) -> Role {
        let first = parent.child(kind, 0)
        let index = taken[first, default: 0]
        taken[first] = index + 1
        return parent.child(kind, index)
    }

    /// The process that Fracas started to which a process belongs: itself or one above it.
    public func topLevel(above process: TrackedProcess) -> TrackedProcess? {
        var one = process
        for _ in 0..<64 {
            if one.isTopLevel { return one }
            guard let parent = byPid[one.parent], parent !== one else { return nil }
            one = parent
        }
        return nil
    }

    /// The nearest role at or above a process.
    public func nearestRole(of process: TrackedProcess) -> Role? { process.role ?? nearestRole(above: process.parent) }

    private func nearestRole(above parent: Int32) -> Role? {
        var pid = parent
        for _ in 0..<64 {
            guard let parent = byPid[pid] else { return nil }
            if let role = parent.role { return role }
            pid = parent.parent
        }
        return nil
    }

    /// The children of a process, by their ids in our own pid namespace; empty on a kernel without `CONFIG_PROC_CHILDREN`.
    private static func children(of host: Int32) -> [Int32] {
        ProcFile.numbers("/proc/\(host)/task").flatMap { thread in
            (ProcFile.text("/proc/\(host)/task/\(thread)/children") ?? "").split(separator: " ").compactMap {
                Int32($0)
            }
        }
    }

    private static func innerPid(of host: Int32) -> Int32? {
        ProcessStatus(of: host)?.innerThread
    }

    private static func command(of host: Int32) -> String {
        let bytes = ProcFile.bytes("/proc/\(host)/cmdline") ?? []
        let text = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        return String(text.prefix(300))
    }
}
