import Platform
import Scenarios
import SystemPackage

/// Sees the return of single calls. The kernel lets seccomp stop a call only on its entry, so for a call whose return matters
/// its thread is traced, for the length of that one call:
///
/// the thread is attached to while the kernel holds it, and the call is answered with "begin again" (`ERESTARTNOINTR`); it traps,
/// enters the call anew (the second notification of the same call is let through and not counted), and stops as it leaves it.
/// A call that a signal breaks off to be begun again is followed until it has an answer. Then the thread is let go.
///
/// `ptrace(2)` wants one and the same thread for all of this, the trial's own; only `resumes` may be asked on others.
final class CallTracer {
    private enum State {
        /// Attached; the trap has not been seen.
        case attaching
        /// On its way into the call.
        case entering
        /// In the call.
        case running
        /// Stopped as it leaves the call.
        case leaving
    }

    private final class Traced {
        let trace: ThreadTrace
        let held: HeldCall
        var state = State.attaching
        /// The argument that was changed, and what it was.
        var changed: (index: Int, value: UInt64)?

        init(_ trace: ThreadTrace, _ held: HeldCall) {
            self.trace = trace
            self.held = held
        }
    }

    private let restartCall: Int32
    private var traced: [Int32: Traced] = [:]
    /// How many notifications were second ones of calls that were begun again for us.
    private(set) var resumed = 0

    init(restartCall: Int32) { self.restartCall = restartCall }

    var isIdle: Bool { traced.isEmpty }

    /// Whether a notification is the second one of a call that was begun again for us.
    func resumes(_ notification: StoppedCall) -> Bool {
        guard let one = traced[notification.thread], one.state == .running, isCall(notification.call, of: one) else {
            return false
        }
        resumed += 1
        return true
    }

    /// Attaches to the thread of a held call and lets the call begin again under our eyes.
    /// - Throws: the errno of `ptrace(2)`: the call is then still held.
    func begin(_ held: HeldCall) throws(Errno) {
        let trace = try ThreadTrace(attachingTo: held.notification.thread)
        traced[trace.thread] = Traced(trace, held)
        held.listener.fail(held.notification.id, errno: restartAnswer)
    }

    /// Looks at every traced thread.
    /// - Parameters:
    ///   - shorten: for a call on its entry, the argument to change and to what; nil for none.
    ///   - left: a call has been carried out, with this answer; its thread stays stopped until `release`.
    func poll(
        shorten: (HeldCall) -> (index: Int, value: UInt64)?, left: (HeldCall, ThreadTrace, _ answer: Int64) -> Void
    ) {
        // One that is stopped as it leaves its call is looked at too: it may have been killed there, and is then ours to bury.
        for one in Array(traced.values) {
            // A thread goes through at most a few stops before it is in the call or has left it.
            for _ in 0..<16 {
                let stop = one.trace.poll()
                if stop == .none { break }
                guard step(one, stop, shorten, left) else { break }
            }
        }
    }

    /// - Returns: whether there may be more to see of it at once.
    private func step(
        _ one: Traced, _ stop: ThreadTrace.Stop, _ shorten: (HeldCall) -> (index: Int, value: UInt64)?,
        _ left: (HeldCall, ThreadTrace, Int64) -> Void
    ) -> Bool {
        switch stop {
        case .none: return false
        case .dead:
            traced[one.trace.thread] = nil
            return false
        case .attached:
            if one.state == .attaching { one.state = .entering }
            one.trace.proceedToCall()
        case .groupStop: one.trace.listen()
        case .signal(let signal): one.trace.proceedToCall(delivering: signal)
        case .entry(let call):
            if one.state == .entering, isCall(call, of: one) {
                one.state = .running
                if one.changed == nil, let (index, value) = shorten(one.held) {
                    one.changed = (index, one.held.notification.argument(index))
                    one.trace.set(argument: index, to: value)
                }
            }
            one.trace.proceedToCall()
        case .exit(_, let value):
            guard one.state == .running else {
                one.trace.proceedToCall()
                return true
            }
            if Self.isBegunAgain(value) {
                one.state = .entering
                one.trace.proceedToCall()
                return true
            }
            if let (index, value) = one.changed { one.trace.set(argument: index, to: value) }
            one.state = .leaving
            one.held.place = .exit(one.trace)
            left(one.held, one.trace, value)
            return false
        }
        return true
    }

    /// Lets the thread of a call that has been carried out go on, untraced.
    func release(_ trace: ThreadTrace) {
        // One that was killed meanwhile cannot be let go: it stays on the books until its end was seen.
        if trace.end() { traced[trace.thread] = nil }
    }

    /// Waits for the end of every traced thread: until we have, the kernel does not let their namespace end. To be called when
    /// they have been killed.
    func awaitEnds() {
        for one in traced.values { one.trace.awaitEnd() }
        traced = [:]
    }

    private func isCall(_ call: Int32, of one: Traced) -> Bool {
        call == one.held.notification.call || call == restartCall
    }

    /// `ERESTARTSYS`, `ERESTARTNOINTR`, `ERESTARTNOHAND`, `ERESTART_RESTARTBLOCK`: what the kernel says to itself.
    private static func isBegunAgain(_ value: Int64) -> Bool { [-512, -513, -514, -516].contains(value) }
}
