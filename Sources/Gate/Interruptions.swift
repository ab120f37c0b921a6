import Platform
import Scenarios
import Topologies

/// Makes good what a signal does to a call between its stop and the moment in which the gate receives it.
///
/// The kernel breaks such a call off (`ERESTARTSYS` of `seccomp_do_user_notification`): without `SA_RESTART` the caller gets `EINTR`, also
/// from calls that Linux never interrupts. A handler ends with `rt_sigreturn(2)`, which the filter stops too; what its caller goes back to
/// lies then on the stack. If that is an `EINTR` of a call that nobody received (a number of the listener is missing), the registers there
/// are put back to before the call, and it is made anew: as if the signal had come an instant earlier. A call that waits, and that
/// Linux does interrupt, keeps its `EINTR`: whoever made it may count on that.
///
/// The same place tells of calls that were received and that the kernel begins again after a handler (`SA_RESTART`, and `clone(2)` always):
/// their second notification is the same call.
///
/// Used under the trial's lock.
final class Interruptions {
    /// What was found out about the calls that were broken off.
    struct Counts: Equatable {
        /// Made anew by the gate.
        var healed = 0
        /// Begun again by the kernel.
        var restarted = 0
        /// Left as they were: calls that Linux itself interrupts.
        var natural = 0
        /// Left as they were, for nobody knows which calls they were.
        var unknown = 0
    }

    /// A call that was received.
    private struct Received {
        var call: Int32 = -1
        var id: UInt64 = 0
        var site: UInt64 = 0
        var arguments: (UInt64, UInt64, UInt64) = (0, 0, 0)
        /// Whether it was answered with `EINTR` by a fault.
        var isAnswered = false
    }

    /// What is known of a thread.
    private struct Caller {
        var thread: Int32 = 0
        /// How many calls of it were received.
        var count = 0
        /// The call that its next notification is, if that is the same one, begun again: by its place among the last ones.
        var begunAgain = -1
        /// Whether its next call is one that was not received: then it is none that was.
        var isToBeMade = false
    }

    /// Which call is made at an instruction.
    private struct Site {
        var address: UInt64 = 0
        /// `several` where it is not always the same.
        var call: Int32 = -1
        static let several: Int32 = -2
    }

    private static let places = 1024
    /// How many of a thread's last calls are kept: a handler may make some before it is done.
    private static let kept = 8
    private let plan: Plan
    private let callers: UnsafeMutableBufferPointer<Caller>
    private let calls: UnsafeMutableBufferPointer<Received>
    private let sites: UnsafeMutableBufferPointer<Site>
    private(set) var counts = Counts()

    init(_ plan: Plan) {
        self.plan = plan
        callers = .allocate(capacity: Self.places)
        callers.initialize(repeating: Caller())
        calls = .allocate(capacity: Self.places * Self.kept)
        calls.initialize(repeating: Received())
        sites = .allocate(capacity: Self.places)
        sites.initialize(repeating: Site())
    }

    deinit {
        callers.deallocate()
        calls.deallocate()
        sites.deallocate()
    }

    private func place(of thread: Int32) -> Int { Int(thread) & (Self.places - 1) }
    private func place(of site: UInt64) -> Int { Int(truncatingIfNeeded: site ^ site >> 12) & (Self.places - 1) }

    /// Notes a call that was received.
    /// - Returns: whether it is one that was received before and that the kernel has begun again.
    func receive(_ call: StoppedCall) -> Bool {
        // What a handler goes back to is not what it itself did last.
        if call.call == plan.returnFromSignal { return false }
        let caller = place(of: call.thread)
        if callers[caller].thread != call.thread { callers[caller] = Caller(thread: call.thread) }
        callers[caller].isToBeMade = false
        if callers[caller].begunAgain >= 0 {
            let again = callers[caller].begunAgain
            callers[caller].begunAgain = -1
            if calls[again].site == call.site, calls[again].call == call.call {
                calls[again].id = call.id
                return true
            }
        }
        let place = caller * Self.kept + callers[caller].count & (Self.kept - 1)
        callers[caller].count &+= 1
        calls[place] = Received(
            call: call.call, id: call.id, site: call.site,
            arguments: (call.arguments.0, call.arguments.1, call.arguments.2))
        let site = self.place(of: call.site)
        if sites[site].address != call.site {
            sites[site] = Site(address: call.site, call: call.call)
        } else if sites[site].call != call.call {
            sites[site].call = Site.several
        }
        return false
    }

    /// The places of a thread's last calls, the latest first.
    private func latest(of thread: Int32) -> some Sequence<Int> {
        let caller = place(of: thread)
        let count = callers[caller].thread == thread ? callers[caller].count : 0
        return (0..<min(count, Self.kept)).lazy.map { back in
            caller * Self.kept + (count - 1 - back) & (Self.kept - 1)
        }
    }

    /// Notes that a fault answers the last call of a thread with `EINTR`: that is none to make good.
    func answersInterrupted(_ call: StoppedCall) {
        if let place = latest(of: call.thread).first(where: { calls[$0].id == call.id }) {
            calls[place].isAnswered = true
        }
    }

    /// Notes that the threads of a process that was stopped go on: a call that waits is then begun again by the kernel.
    func resumes(_ process: TrackedProcess) {
        for thread in ProcFile.numbers("/proc/\(process.hostPid)/task") {
            guard let last = latest(of: thread).first(where: { _ in true }),
                plan.meaning(of: calls[last].call).contains(.waits),
                let words = ProcFile.text("/proc/\(thread)/syscall")?.split(whereSeparator: { " \n".contains($0) }),
                words.count == 9, Int32(words[0]) == calls[last].call,
                UInt64(words[8].dropFirst(2), radix: 16) == calls[last].site,
                // One that is held at the gate has not been broken off.
                let wait = ProcFile.text("/proc/\(thread)/wchan"),
                ["signal_stop", "freezer"].contains(where: wait.contains)
            else { continue }
            callers[place(of: thread)].begunAgain = last
        }
    }

    // MARK: a handler is done

    /// Looks at what a thread goes back to from its signal handler: it is stopped in `rt_sigreturn(2)`.
    func returns(_ call: StoppedCall, _ process: TrackedProcess, _ sequence: CallSequence) {
        guard let frame = SignalFrame(ofReturning: call.thread), frame.rip > UInt64(Self.codeBefore) else { return }
        let start = frame.rip - UInt64(Self.codeBefore)
        guard let code = try? ProcFile.memory(of: call.thread, at: start, length: Self.codeBefore + 2),
            code.count == Self.codeBefore + 2
        else {
            // What was broken off cannot be seen: it is not made good, and the verdict says so.
            if frame.rax == -interrupted, sequence.settle(after: 0) { counts.unknown += 1 }
            return
        }
        if frame.rax == -interrupted, Self.isCall(code, before: Self.codeBefore) {
            makeGood(frame, code, call, process, sequence)
        } else if frame.rcx == frame.rip + 2, Self.isCall(code, before: Self.codeBefore + 2) {
            noteRestart(frame, call, process, sequence)
        }
    }

    /// The kernel begins a call again: one that was received before, or one that nobody has received. Of one thread a missing number tells
    /// which; of several it may be another's, and then the call does: some are only ever begun again before they were received.
    private func noteRestart(
        _ frame: SignalFrame, _ call: StoppedCall, _ process: TrackedProcess, _ sequence: CallSequence
    ) {
        let caller = place(of: call.thread)
        let number = Int32(truncatingIfNeeded: frame.rax)
        // Another signal came before the call that was made good, or that nobody received, could be made.
        if callers[caller].thread == call.thread, callers[caller].isToBeMade { return }
        let (first, second, third, _) = frame.arguments
        let found = latest(of: call.thread).first { place in
            calls[place].site == frame.rip + 2 && calls[place].call == number
                && calls[place].arguments == (first, second, third)
        }
        if let found {
            // A process takes long to make: that one is broken off in the middle is far likelier than before it was received.
            let isLast = latest(of: call.thread).first { _ in true } == found
            let makesProcess = plan.meaning(of: number).contains(.makesProcess)
            let wasReceived =
                makesProcess && isLast
                || (makesProcess || waits(number, frame, process)) && !sequence.settle(after: calls[found].id)
            if wasReceived { return callers[caller].begunAgain = found }
            if !plan.meaning(of: number).contains(.waits) { _ = sequence.settle(after: calls[found].id) }
        } else {
            guard plan.stops(number), sequence.settle(after: 0) else { return }
        }
        // Nobody received it: its next notification is its first.
        counts.restarted += 1
        callers[caller].isToBeMade = number != plan.returnFromSignal
    }

    private func makeGood(
        _ frame: SignalFrame, _ code: [UInt8], _ call: StoppedCall, _ process: TrackedProcess,
        _ sequence: CallSequence
    ) {
        let last = latest(of: call.thread).first { calls[$0].site == frame.rip }
        let given = Self.number(in: code)
        let isReturn = given == plan.returnFromSignal
        // A return from a handler that is itself broken off goes nowhere: the kernel never ends it so.
        guard isReturn || sequence.hasOpen, isReturn || !(last.map { calls[$0].isAnswered } ?? false) else { return }
        let site = sites[place(of: frame.rip)]
        let known = site.address == frame.rip ? site.call : -1
        guard let number = given ?? (known >= 0 ? known : nil) else {
            // One of several that may be made there: whether the gate stops it is not known either.
            if known == Site.several, sequence.settle(after: 0) { counts.unknown += 1 }
            return
        }
        guard plan.stops(number) else { return }
        let wasMissed = sequence.settle(after: last.map { calls[$0].id } ?? 0)
        guard isReturn || wasMissed else { return }
        if waits(number, frame, process) {
            counts.natural += 1
        } else if frame.begin(call: number, again: call.thread) {
            counts.healed += 1
            let caller = place(of: call.thread)
            if !isReturn, callers[caller].thread == call.thread { callers[caller].isToBeMade = true }
        } else {
            counts.unknown += 1
        }
    }

    /// Whether the call would have waited, so that Linux might have interrupted it.
    private func waits(_ number: Int32, _ frame: SignalFrame, _ process: TrackedProcess) -> Bool {
        guard plan.meaning(of: number).contains(.waits), let known = plan.known(number) else { return false }
        let (first, second, third, fourth) = frame.arguments
        switch known.name {
        // FUTEX_WAIT, _LOCK_PI, _WAIT_BITSET, _WAIT_REQUEUE_PI, _LOCK_PI2
        case "futex": return [0, 6, 9, 11, 13].contains(second & 0x7F)
        // F_SETLKW, F_OFD_SETLKW
        case "fcntl": return [7, 38].contains(second)
        // LOCK_NB
        case "flock": return second & 4 == 0
        // WNOHANG
        case "wait4": return third & 1 == 0
        case "waitid": return fourth & 1 == 0
        case "poll": return third & 0xFFFF_FFFF != 0
        case "epoll_wait", "epoll_pwait": return fourth & 0xFFFF_FFFF != 0
        default: break
        }
        guard known.descriptor == 0, let copy = try? process.handle?.duplicate(Int32(truncatingIfNeeded: first)) else {
            return true
        }
        return !copy.isNonBlocking && (known.name == "connect" || !copy.isReady(forWriting: known.isWrite))
    }

    // MARK: code

    /// How much code is looked at before the place that a handler goes back to.
    private static let codeBefore = 16

    /// Whether an instruction `syscall` ends at a place.
    private static func isCall(_ code: [UInt8], before end: Int) -> Bool {
        code[end - 2] == 0x0F && code[end - 1] == 0x05
    }

    /// The number of the call, where the instruction just before `syscall` loads it: `mov $number, %eax` or `%rax`.
    private static func number(in code: [UInt8]) -> Int32? {
        let end = codeBefore - 2
        func value(at place: Int) -> Int32 {
            code.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: Int32.self) }
        }
        if code[end - 7] == 0x48, code[end - 6] == 0xC7, code[end - 5] == 0xC0 { return value(at: end - 4) }
        return code[end - 5] == 0xB8 ? value(at: end - 4) : nil
    }
}

/// `EINTR`.
private let interrupted: Int64 = 4
