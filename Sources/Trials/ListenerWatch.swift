import Gate
import Platform
import Scenarios

/// When a step that waits for a port or a socket looks whether it is there. That a process has entered `listen(2)` or `bind(2)` the gate
/// tells, that the call has returned nothing does: it is looked at soon after, then ever more seldom.
struct ListenerWatch {
    /// When to look next; nil while no step waits for such.
    private(set) var next: Int64?
    private var interval = first
    private var calls = 0
    private static let first: Int64 = 100_000
    private static let longest: Int64 = 20_000_000

    /// Whether to look now.
    /// - Parameter count: how many such calls there have been so far.
    mutating func isDue(_ now: Int64, calls count: Int) -> Bool {
        if count != calls || next == nil { (calls, interval, next) = (count, Self.first, now) }
        guard let due = next, now >= due else { return false }
        next = now + interval
        interval = min(2 * interval, Self.longest)
        return true
    }

    /// Nothing is waited for any more.
    mutating func rest() { next = nil }
}
