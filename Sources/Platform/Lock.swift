import Synchronization

/// A lock for state that several threads of one trial share; without contention it costs some ten nanoseconds.
public final class Lock: Sendable {
    private let mutex = Mutex(())

    /// A lock that nobody holds.
    public init() {}

    /// Does something while nobody else does anything under this lock.
    public func with(_ body: () -> Void) { mutex.withLock { _ in body() } }

    /// Does something under this lock if nobody holds it.
    /// - Returns: whether it was done.
    public func tryWith(_ body: () -> Void) -> Bool { mutex.withLockIfAvailable { _ in body() } != nil }
}
