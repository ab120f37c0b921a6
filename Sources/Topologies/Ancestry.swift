import Platform
import Scenarios

/// A process whose parent is about to end, and that has not shown itself yet.
struct Bereaved {
    /// When it was born: its id may come to mean another process.
    let birth: UInt64
    let parent: TrackedProcess
}

/// Whose child a process is when its parent has ended before it showed itself: the kernel gives it another parent then, init or a
/// subreaper. What a process has made is looked at when it ends, while the gate holds it.
extension ProcessTable {
    /// Notes what a process has made, as it is about to end: its children keep it as their parent. To be called while the kernel holds it
    /// in `exit_group(2)`, or before a signal is sent to it.
    /// - Parameter isHeld: whether its thread that ends it is held.
    public func willEnd(_ process: TrackedProcess, isHeld: Bool) {
        let (threads, children) = Self.family(of: process.hostPid)
        // Another thread may make a child until the very end.
        process.hasLeftKnownChildren = isHeld && threads == 1
        let unseen = children.filter(isUnseen)
        guard !unseen.isEmpty else { return }
        for child in unseen {
            guard let birth = ProcessStat(of: child)?.birth else { continue }
            bereaved[child] = Bereaved(birth: birth, parent: process)
        }
        guard let role = process.role ?? nearestRole(above: process.parent),
            rules.contains(where: { $0.rule.parent.matches(role) })
        else { return }
        promise(unseen, before: .max, under: role)
    }

    /// Whether nothing is known of the process that has this id now. One that has ended keeps its id until it was waited for.
    func isUnseen(_ host: Int32) -> Bool {
        guard let known = byThread[host], known.hostPid == host else { return true }
        return known.hasExited && known.handle?.pid() != host
    }

    /// How many threads a process has, and its children. The kernel goes through them one by one, and may leave one out where
    /// another goes meanwhile: so they are looked at until nothing changes.
    private static func family(of host: Int32) -> (threads: Int, children: [Int32]) {
        var threads = ProcFile.numbers("/proc/\(host)/task")
        var seen = Set(children(of: host, threads))
        for _ in 0..<3 where !seen.isEmpty {
            threads = ProcFile.numbers("/proc/\(host)/task")
            let found = Set(children(of: host, threads))
            let isAll = found.isSubset(of: seen)
            seen.formUnion(found)
            if isAll { break }
        }
        return (threads.count, seen.sorted())
    }

    /// A living process that has children and has made no call yet that is stopped.
    private func discover(_ host: Int32) -> TrackedProcess? {
        guard host > 0, initPid > 0, let status = ProcessStatus(of: host, level: level), status.depth >= level else {
            return nil
        }
        let (parent, isKnown) = parent(of: status)
        let process = TrackedProcess(
            hostPid: host, pid: status.innerThread, parent: parent?.pid ?? 1, handle: try? ProcessHandle(pid: host),
            isTopLevel: false)
        process.hasUnknownParent = !isKnown
        process.needsLook = true
        remember(process, thread: host)
        assignRole(to: process, command: Self.command(of: host))
        discovered.append((process, Self.command(of: host)))
        return process
    }

    /// Processes of which something was found out by their children and not yet told, with their commands.
    public func takeDiscovered() -> [(process: TrackedProcess, command: String)] {
        defer { discovered = [] }
        return discovered
    }

    /// The process that made the one with this status, and whether that is known; nil for the trial's init.
    func parent(of status: ProcessStatus) -> (TrackedProcess?, isKnown: Bool) {
        let (parent, isKnown) = lookUpParent(of: status)
        // It may have made none but this child since it has its program.
        if let parent { settle(parent) }
        return (parent, isKnown)
    }

    private func lookUpParent(of status: ProcessStatus) -> (TrackedProcess?, isKnown: Bool) {
        if let note = bereaved.removeValue(forKey: status.group), ProcessStat(of: status.group)?.birth == note.birth {
            return (note.parent, true)
        }
        if let parent = byThread[status.parent], !parent.hasExited { return (parent, true) }
        if status.parent != initPid, let parent = discover(status.parent) { return (parent, true) }
        // Init has made none of the processes that the gate meets but those that Fracas asked it for: it has adopted this one.
        let dead = all.filter { !$0.hasLeftKnownChildren && ($0.hasExited || $0.handle?.hasEnded ?? true) }
        for process in dead { settle(process) }
        // Of which of them it is does not matter if all of them would give it the same role.
        let parents = Set(dead.map { nearestRole(of: $0) })
        if parents.count <= 1 { return (dead.last, true) }
        return (
            nil,
            !parents.contains { role in role.map { one in rules.contains { $0.rule.parent.matches(one) } } ?? false }
        )
    }
}
