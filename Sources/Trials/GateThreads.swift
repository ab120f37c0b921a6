import Foundation
import Gate
import Platform
import Synchronization

/// Serves one listener from threads of its own, of which one at a time blocks in the kernel until a call arrives: the kernel then wakes
/// it on the very processor that the caller leaves, which waiting through a poller would lose (docs/performance.md has the figures).
/// It decides the call itself. Where that takes longer the other thread takes its turn at waiting meanwhile, for a call that nobody waits
/// for can be broken off by a signal.
///
/// They end by themselves when the last process under the listener's filter has ended.
final class GateThreads {
    /// What a thread is handed, once, before it begins.
    ///
    /// Unchecked because `serve` touches the trial's state, which is no thread's own: `init` takes only a closure that does so
    /// under the trial's lock, and the loop joins the threads before that state goes away.
    private struct Work: @unchecked Sendable {
        let listener: Listener
        let turns: DispatchSemaphore
        let serve: (StoppedCall, ReceivingTurn) -> Void
    }

    private final class Shares: Sendable {
        let all = Mutex<[ThreadShare]>([])
    }

    private static let count = 2
    private let areDone = DispatchSemaphore(value: 0)
    private let shares = Shares()

    /// Starts the threads.
    /// - Parameter serve: called for each call, on one of the threads; takes the trial's lock.
    init(_ listener: Listener, serve: @escaping (StoppedCall, ReceivingTurn) -> Void) {
        let work = Work(listener: listener, turns: DispatchSemaphore(value: 1), serve: serve)
        let (areDone, shares) = (areDone, shares)
        for _ in 0..<Self.count {
            let thread = Thread {
                if let own = ThreadShare.own { shares.all.withLock { $0.append(own) } }
                Self.run(work)
                areDone.signal()
            }
            thread.name = "fracas gate"
            thread.stackSize = 1 << 20
            thread.start()
        }
    }

    private static func run(_ work: Work) {
        let turn = ReceivingTurn(sharing: work.turns)
        while true {
            turn.take()
            while !turn.isPassed {
                if let call = work.listener.receive() {
                    work.serve(call, turn)
                } else if !work.listener.mayHaveMore() {
                    turn.pass()
                    return
                }
            }
        }
    }

    /// How long one of the threads has waited for a processor, in nanoseconds: the one that waited for longest.
    var waited: Int64 { shares.all.withLock { $0.reduce(Int64(0)) { max($0, $1.waited()) } } }

    /// Blocks until the threads have ended, which they do when every process under the filter has.
    func join() { for _ in 0..<Self.count { areDone.wait() } }
}
