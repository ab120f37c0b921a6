public import Dispatch

/// One thread's turn at waiting for a listener's next call. A thread that has received one, and to whom it takes longer to decide it, passes
/// its turn on: a call that nobody waits for can be broken off by a signal. Used by that thread only.
public final class ReceivingTurn {
    private let turns: DispatchSemaphore
    /// Whether another thread waits in this one's place, or will.
    public private(set) var isPassed = true

    /// A turn of one of the threads that share these: there is one in all.
    public init(sharing turns: DispatchSemaphore) { self.turns = turns }

    /// Blocks until it is this thread's turn.
    public func take() {
        turns.wait()
        isPassed = false
    }

    /// Lets another thread wait in this one's place; a second time it does nothing.
    public func pass() {
        guard !isPassed else { return }
        isPassed = true
        turns.signal()
    }
}
