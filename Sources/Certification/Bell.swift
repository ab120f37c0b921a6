import Foundation

/// Lets threads wait until somebody has something new for them. It blocks, so it is not for the cooperative pool.
///
/// Unchecked because its count is only touched under its condition's lock.
final class Bell: @unchecked Sendable {
    private let condition = NSCondition()
    private var count = 0

    /// How often it was rung.
    var rung: Int { condition.withLock { count } }

    /// Wakes all who wait.
    func ring() {
        condition.withLock {
            count += 1
            condition.broadcast()
        }
    }

    /// Waits until it was rung more often than this.
    func wait(past seen: Int) {
        condition.withLock {
            while count == seen { condition.wait() }
        }
    }
}
