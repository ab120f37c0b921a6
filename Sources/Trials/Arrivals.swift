import Gate
import Platform

/// Stopped calls as they arrive, on the threads that receive them, and the lock that orders them among everything else.
extension TrialLoop {
    /// Does something under the trial's lock, and then decides what has arrived meanwhile.
    func locked(_ body: () -> Void) {
        lock.with(body)
        decideWaiting()
    }

    /// One stopped call, on a gate thread. A call that is let go on changes nothing that the loop waits for, so it is left alone.
    /// Where the lock is somebody's, that one decides the call, and this thread goes on receiving.
    func serve(_ notification: StoppedCall, _ listener: Listener, _ turn: ReceivingTurn) {
        var goesOn = false
        guard lock.tryWith({ goesOn = decide(notification, listener, turn) }) else {
            lock.leave(notification, listener)
            return decideWaiting()
        }
        if goesOn { listener.proceed(notification.id) }
        guard lock.hasWaiting else { return }
        turn.pass()
        decideWaiting()
    }

    /// Decides what was left for whoever has the lock. Whoever has it looks again after it has let go of it, and who leaves something looks
    /// after that: so nothing stays.
    private func decideWaiting() {
        while lock.hasWaiting {
            var left: [(call: StoppedCall, listener: Listener)] = []
            let isMine = lock.tryWith {
                left = lock.takeWaiting().filter { decide($0.call, $0.listener, nil) }
            }
            guard isMine else { return }
            for (call, listener) in left { listener.proceed(call.id) }
        }
    }

    /// - Returns: whether the call is to be let go on.
    private func decide(_ notification: StoppedCall, _ listener: Listener, _ turn: ReceivingTurn?) -> Bool {
        // What is still held when a trial is over is ended with it.
        if case .over = stage { return false }
        let goesOn = gate.serve(notification, listener, turn)
        if gate.hasNews, !isNewsTold {
            isNewsTold = true
            news.wake()
        }
        return goesOn
    }
}
