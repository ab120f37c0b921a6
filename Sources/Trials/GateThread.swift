import Foundation
import Gate
import Platform
import Synchronization

/// Serves one listener from a thread of its own, which blocks in the kernel until a call arrives: the kernel then wakes it on the
/// very processor that the caller leaves, which waiting through a poller would lose (docs/performance.md has the figures).
///
/// It ends by itself when the last process under the listener's filter has ended.
final class GateThread {
    /// What the thread is handed, once, before it begins.
    ///
    /// Unchecked because `serve` touches the trial's state, which is no thread's own: `start` takes only a closure that does so
    /// under the trial's lock, and the loop joins the thread before that state goes away.
    private struct Work: @unchecked Sendable {
        let listener: Listener
        let serve: (StoppedCall) -> Void
    }

    private final class Share: Sendable {
        let value = Mutex<ThreadShare?>(nil)
    }

    private let isDone = DispatchSemaphore(value: 0)
    private let share = Share()

    /// Starts the thread.
    /// - Parameter serve: called for each call, on the thread; takes the trial's lock.
    init(_ listener: Listener, serve: @escaping (StoppedCall) -> Void) {
        let work = Work(listener: listener, serve: serve)
        let (isDone, share) = (isDone, share)
        let thread = Thread {
            share.value.withLock { $0 = ThreadShare.own }
            while true {
                if let call = work.listener.receive() {
                    work.serve(call)
                } else if !work.listener.mayHaveMore() {
                    break
                }
            }
            isDone.signal()
        }
        thread.name = "fracas gate"
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// How long the thread has waited for a processor, in nanoseconds.
    var waited: Int64 { share.value.withLock(\.self)?.waited() ?? 0 }

    /// Blocks until the thread has ended, which it does when every process under the filter has.
    func join() { isDone.wait() }
}
