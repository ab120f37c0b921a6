/// Finds operations whose order may matter and could have been another: on the same thing, by different processes or threads, close
/// together. The idea is that of near-miss tracking (Li et al., "Efficient scalable thread-safety-violation detection", SOSP 2019;
/// Stoica et al., "Waffle: Exposing memory ordering bugs efficiently with active delay injection", EuroSys 2023), with system calls
/// on pipes, files and processes in place of calls on objects in memory.
struct Inversions {
    /// Two operations in the order in which they were seen.
    struct Pair: Sendable {
        let first: Operation
        let second: Operation
        /// How far they were apart, in seconds; that somebody ends and somebody else hears of it is never far apart.
        var distance: Double { Double(second.time - first.time) / 1e9 * (isEnd ? 0.01 : 1) }
        private var isEnd: Bool { Inversions.isEnd(first, seenBy: second) || Inversions.isEnd(second, seenBy: first) }
    }

    /// Further apart than this, nobody would call it a race.
    private static let horizon: Int64 = 1_000_000_000
    /// How many later operations are paired with one.
    private static let mostPartners = 3

    /// The pairs, nearest first.
    let pairs: [Pair]

    init(_ trace: Trace) {
        let operations = trace.start + trace.window
        var found: [Pair] = []
        for (index, first) in operations.enumerated() {
            var partners = 0
            for second in operations[(index + 1)...] {
                guard second.time - first.time < Self.horizon, partners < Self.mostPartners else { break }
                guard second.thread != first.thread, Self.conflict(first, second) else { continue }
                partners += 1
                found.append(Pair(first: first, second: second))
            }
        }
        pairs = found.sorted { $0.distance < $1.distance }
    }

    private static func conflict(_ one: Operation, _ other: Operation) -> Bool {
        if isEnd(one, seenBy: other) || isEnd(other, seenBy: one) { return true }
        guard let object = one.object, let second = other.object, !VisibleCalls.signals.contains(one.call) else {
            return false
        }
        if object.hasPrefix("/") {
            return object == second || isEntry(object, of: second) || isEntry(second, of: object)
        }
        // Each process has event queues and process descriptors of its own, whatever their names.
        return object == second && !object.hasPrefix("anon_inode:") && !object.hasPrefix("line ")
    }

    /// A process ends, and one above it waits for something.
    private static func isEnd(_ end: Operation, seenBy other: Operation) -> Bool {
        guard ["exit_group", "kill", "pidfd_send_signal"].contains(end.call) else { return false }
        let waits = ["wait4", "waitid", "kill", "pidfd_send_signal", "pidfd_open"].contains(other.call)
        return waits && end.role != other.role
    }

    /// Whether a path is directly in a directory.
    private static func isEntry(_ path: String, of directory: String) -> Bool {
        guard let slash = path.lastIndex(of: "/") else { return false }
        return path[..<slash] == directory
    }
}
