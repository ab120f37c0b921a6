public import Platform
public import Scenarios

/// The processes of a trial: who is whose child, and which role each has. Roles come from ancestry, never from what a
/// process says of itself. Looked up at every stopped call, and so a reference: copies of it would cost more than the look-up.
public final class ProcessTable {
    /// Every process ever seen, in the order of birth.
    public private(set) var all: [TrackedProcess] = []
    /// Grows with every process and every new role: what was derived from the table is stale then.
    public internal(set) var generation = 0
    /// Grows whenever a process gets a role, or loses one: who waits for roles looks again then.
    public internal(set) var roleChanges = 0
    /// How many pid namespaces below our own the trial's is. A process of the trial may have its own below that again: what it is
    /// called in there is nobody's business here.
    public private(set) var level = 1
    let rules: [(rule: Topology.Child, command: Regex<AnyRegexOutput>?)]
    var byThread: [Int32: TrackedProcess] = [:]
    var byPid: [Int32: TrackedProcess] = [:]
    var taken: [Role: Int] = [:]
    /// Roles of processes that have not shown themselves yet, by their ids in our own pid namespace.
    var promises: [Int32: Role] = [:]
    /// The parents of processes that have not shown themselves yet, and whose parents are about to end.
    var bereaved: [Int32: Bereaved] = [:]
    /// Processes of which something was found out by their children, not by their own calls, with their commands.
    var discovered: [(process: TrackedProcess, command: String)] = []
    /// The trial's init, by its id in our own pid namespace.
    private(set) var initPid: Int32 = 0
    /// How many processes have entered `execve(2)` and not shown themselves since.
    private var changing = 0

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
        roleChanges += 1
        process.start = .spawn
        // The trial's init made it, so its own pid namespace is the trial's.
        if let status = ProcessStatus(of: host, level: level) { (level, initPid) = (status.depth, status.parent) }
        remember(process, thread: host)
        return process
    }

    func remember(_ process: TrackedProcess, thread: Int32) {
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
    /// cannot change. `announces` says that the call is one that a C library makes first in new processes and programs, `isExecuting`
    /// that it puts another program in the process's place.
    public func identify(_ thread: Int32, announces: Bool, isExecuting: Bool) -> Identity {
        if let known = byThread[thread] {
            if !announces, !known.needsLook { return .known(known) }
            // The id of a first thread is its process's, and means no other as long as that has not ended.
            if known.hostPid == thread, !(known.handle?.hasEnded ?? true) {
                return look(at: known, by: thread, announces: announces)
            }
        }
        guard let status = ProcessStatus(of: thread, level: level) else { return .gone }
        let group = status.group
        if let known = byThread[group], !known.hasExited, known.hostPid == group {
            byThread[thread] = known
            return look(at: known, by: thread, announces: announces)
        }
        let pid = thread == group ? status.innerThread : innerPid(of: group) ?? status.innerThread
        let handle = try? ProcessHandle(pid: group)
        let (parent, isKnown) = parent(of: status)
        let process = TrackedProcess(
            hostPid: group, pid: pid, parent: parent?.pid ?? 1, handle: handle, isTopLevel: false)
        process.hasUnknownParent = !isKnown
        remember(process, thread: group)
        byThread[thread] = process
        let command = Self.command(of: group)
        // A child made by vfork(2) shows itself first as it enters execve(2): it gets its role with its own program.
        if announces || !isExecuting { assignRole(to: process, command: command) }
        noteDescriptors(of: process)
        return .born(process, command: command)
    }

    // MARK: new programs

    /// Whether a known process has another program now, as one of its threads makes a call.
    private func look(at known: TrackedProcess, by thread: Int32, announces: Bool) -> Identity {
        if known.programChange == nil, known.needsLook {
            known.needsLook = false
            return .changed(known, command: Self.command(of: known.hostPid))
        }
        guard hasChanged(known, by: thread, announces: announces) else { return .known(known) }
        return .changed(known, command: takeOn(known, command: Self.command(of: known.hostPid)))
    }

    /// Notes that a thread of a process has entered `execve(2)`; `arguments` is where the new program's are in its memory.
    public func entersNewProgram(_ process: TrackedProcess, by thread: Int32, arguments: UInt64) {
        if process.programChange == nil { changing += 1 }
        // Whoever looks for a program in one directory after the other enters it once for each, with the same arguments.
        if process.image == nil { process.image = ProcessImage(of: process.hostPid) }
        if process.arguments?.address != arguments {
            process.arguments = (arguments, Self.arguments(of: thread, at: arguments))
        }
        let hadExecuted = process.start == .spawn
        let name = hadExecuted ? ProcFile.text("/proc/\(process.hostPid)/comm")?.dropLast() : nil
        process.programChange = TrackedProcess.ProgramChange(
            thread: thread, before: process.image, name: name.map(String.init), hadExecuted: hadExecuted,
            command: process.arguments?.text ?? "")
        process.needsLook = true
    }

    /// Notes that a process is to begin anew, without `execve(2)`, with the next call that announces it.
    public func beginsAnew(_ process: TrackedProcess) {
        if process.programChange == nil { changing += 1 }
        process.programChange = .init(thread: 0, before: nil, name: nil, hadExecuted: true, command: "")
        process.needsLook = true
    }

    /// Whether a process that had entered `execve(2)` makes this call in its new program. Not every program announces itself: one
    /// without a C library does not. And not every `execve(2)` succeeds.
    private func hasChanged(_ process: TrackedProcess, by thread: Int32, announces: Bool) -> Bool {
        guard let change = process.programChange else { return false }
        guard let before = change.before, let now = ProcessImage(of: process.hostPid) else {
            if announces { forgetChange(of: process) }
            return announces
        }
        if now != process.image { process.arguments = nil }
        process.image = now
        // Another thread may make calls while the one in execve(2) is held there.
        if before != now || thread == change.thread { forgetChange(of: process) }
        return before != now
    }

    private func forgetChange(of process: TrackedProcess) {
        if process.programChange != nil { changing -= 1 }
        process.programChange = nil
        process.needsLook = false
    }

    /// Only of those with a role is it asked what they hold at their end.
    private func noteDescriptors(of process: TrackedProcess) {
        process.bornWith = process.role == nil ? [] : Set(process.descriptors().values)
    }

    /// Gives a process the role of its new program.
    /// - Returns: the command.
    private func takeOn(_ process: TrackedProcess, command: String) -> String {
        process.start = .spawn
        if !process.isTopLevel { assignRole(to: process, command: command) }
        noteDescriptors(of: process)
        return command
    }

    /// Gives a process its role that has ended and has shown itself last as it entered `execve(2)`: its program made no call that is
    /// stopped.
    /// - Returns: the command; nil where there was no new program.
    public func settleEnd(of process: TrackedProcess) -> String? {
        guard let change = process.programChange else { return nil }
        forgetChange(of: process)
        guard !process.isTopLevel else { return nil }
        // One that goes on after a failed execve(2) ends by exit_group(2), which is stopped. Where it can still be looked at, it tells.
        if let stat = ProcessStat(of: process.hostPid), process.handle?.pid() == process.hostPid {
            guard stat.hasExecuted, !change.hadExecuted || stat.name != change.name else { return nil }
        }
        process.start = .spawn
        assignRole(to: process, command: change.command)
        return change.command
    }

    /// Gives those processes their roles whose programs have begun and have made no call that is stopped. Costs nothing when there are
    /// none.
    public func settleChanges() {
        guard changing > 0 else { return }
        for process in all where !process.hasExited { settle(process) }
    }

    /// Gives a process the role of its program, if that has begun or ended and has made no call that is stopped.
    func settle(_ process: TrackedProcess) {
        guard let change = process.programChange, !change.isSettled, !process.isTopLevel, process.role == nil else {
            return
        }
        if process.handle?.hasEnded ?? true {
            if let command = settleEnd(of: process) { discovered.append((process, command)) }
            return
        }
        guard let before = change.before, let now = ProcessImage(of: process.hostPid), now != before else { return }
        // It is still to be shown at its first call: only then it can be given streams of its own.
        process.programChange?.isSettled = true
        process.start = .spawn
        // The kernel may still be about to put the arguments there.
        let there = Self.command(of: process.hostPid)
        let command = there.isEmpty ? change.command : there
        assignRole(to: process, command: command)
        discovered.append((process, command))
    }

    // MARK: ancestors

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

    func nearestRole(above parent: Int32) -> Role? {
        var pid = parent
        for _ in 0..<64 {
            guard let parent = byPid[pid] else { return nil }
            if let role = parent.role { return role }
            pid = parent.parent
        }
        return nil
    }

    // MARK: what /proc says

    /// The children of a process, by their ids in our own pid namespace; empty on a kernel without `CONFIG_PROC_CHILDREN`.
    static func children(of host: Int32) -> [Int32] { children(of: host, ProcFile.numbers("/proc/\(host)/task")) }

    /// Likewise, of a process with these threads.
    static func children(of host: Int32, _ threads: [Int32]) -> [Int32] {
        threads.flatMap { thread in
            (ProcFile.text("/proc/\(host)/task/\(thread)/children") ?? "").split(separator: " ").compactMap {
                Int32($0)
            }
        }
    }

    func innerPid(of host: Int32) -> Int32? { ProcessStatus(of: host, level: level)?.innerThread }

    private static let longestCommand = 300

    static func command(of host: Int32) -> String {
        let bytes = ProcFile.bytes("/proc/\(host)/cmdline") ?? []
        let text = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
        return String(text.prefix(longestCommand))
    }

    /// Likewise from the arguments of `execve(2)`, while they are only in its caller's memory.
    private static func arguments(of thread: Int32, at address: UInt64) -> String {
        var words: [String] = []
        var length = 0
        guard let vector = try? ProcFile.memory(of: thread, at: address, length: 64 * 8) else { return "" }
        for place in stride(from: 0, to: vector.count - 7, by: 8) {
            let at = vector[place..<place + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard at != 0, length < longestCommand,
                let bytes = try? ProcFile.memory(of: thread, at: at, length: longestCommand)
            else { break }
            words.append(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
            length += words[words.count - 1].count + 1
        }
        return String(words.joined(separator: " ").prefix(longestCommand))
    }
}
