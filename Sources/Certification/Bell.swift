import Exploration
import Foundation
import Scenarios

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

    /// Asks for a trial until there is one, waiting for news where it has to come first.
    /// - Returns: nil when there will be none, or it is over.
    func trial(while isOpen: () -> Bool, asking: () -> Explorer.Next) -> (number: Int, scenario: Scenario)? {
        while isOpen() {
            let seen = rung
            switch asking() {
            case .never: return nil
            case .later: wait(past: seen)
            case .trial(let number, let scenario): return (number, scenario)
            }
        }
        return nil
    }
}
