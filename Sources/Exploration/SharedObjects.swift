import Evidence
import Scenarios

/// Which files a trial's processes change: reading one that nobody changes is nothing that anyone could notice.
struct SharedObjects {
    private let changed: Set<String>
    /// Which threads did something with what.
    private let users: [String: Set<Operation.Thread>]

    init(_ reached: [Reached]) {
        var users: [String: Set<Operation.Thread>] = [:]
        for point in reached {
            guard let object = point.object else { continue }
            users[object, default: []].insert(Operation.Thread(pid: point.at.pid, id: point.thread))
        }
        self.users = users
        changed = Set(
            reached.compactMap { reached in
                guard let object = reached.object, object.hasPrefix("/"), let call = reached.call,
                    VisibleCalls.changingFiles.contains(call)
                else { return nil }
                return object
            })
    }

    func concern(_ reached: Reached, _ call: String) -> Operation.Concern {
        guard let object = reached.object else { return VisibleCalls.lives.contains(call) ? .shared : .open }
        // Whether a process outlives its parent.
        if call == "prctl" { return .shared }
        // A line is what the program's author thought worth telling: mostly where something begins or ends.
        if reached.channel != nil || object.hasPrefix("line ") { return .shared }
        let threads = users[object] ?? []
        if object.hasPrefix("/") {
            let isShared = Set(threads.map(\.pid)).count > 1
            return isShared || changed.contains(object) ? .shared : .open
        }
        // Each process has event queues and descriptors of processes of its own, whatever they are called.
        if object.hasPrefix("anon_inode:") { return .own }
        // Threads wake each other through pipes that no other process has.
        if object.hasPrefix("pipe:") { return threads.count > 1 ? .shared : .own }
        return .open
    }

    func isVisible(_ reached: Reached) -> Bool {
        guard let object = reached.object else { return !changesNothing(reached) }
        return !object.hasPrefix("/") || changed.contains(object)
    }

    /// Whether a call is on a descriptor that is not open, or sets nothing for signals that matter: nobody can notice it.
    private func changesNothing(_ reached: Reached) -> Bool {
        guard let call = reached.call, let known = SystemCalls.call(call) else { return false }
        return VisibleCalls.signals.contains(call) || known.descriptor != nil && known.paths.isEmpty
    }
}
