import Gate
import Platform
import Synchronization

/// The lock of a trial, and the calls that arrived while somebody had it: a thread that receives calls never waits for it, for while it
/// did nobody would receive.
final class TrialLock: Sendable {
    private let lock = Lock()
    private let waiting = Mutex<[(call: StoppedCall, listener: Listener)]>([])
    private let count = Atomic<Int>(0)

    /// Does something while nobody else does anything under this lock.
    func with(_ body: () -> Void) { lock.with(body) }

    /// Does something under this lock if nobody holds it.
    /// - Returns: whether it was done.
    func tryWith(_ body: () -> Void) -> Bool { lock.tryWith(body) }

    /// Leaves a call to be decided by who has the lock. There are at most as many as the trial has threads.
    func leave(_ call: StoppedCall, _ listener: Listener) {
        waiting.withLock { $0.append((call, listener)) }
        count.add(1, ordering: .sequentiallyConsistent)
    }

    /// Whether any call was left.
    var hasWaiting: Bool { count.load(ordering: .sequentiallyConsistent) > 0 }

    /// Takes all that were left, in the order in which they came.
    func takeWaiting() -> [(call: StoppedCall, listener: Listener)] {
        let all = waiting.withLock { waiting in
            defer { waiting.removeAll(keepingCapacity: true) }
            return Array(waiting)
        }
        count.subtract(all.count, ordering: .sequentiallyConsistent)
        return all
    }
}
