public import Evidence
import Glibc
public import Platform
public import Schedules
public import Scenarios
import SystemPackage
public import Topologies

/// What the gate tells the trial that owns it, under the trial's lock.
public protocol GateDelegate: AnyObject {
    /// Something to put in the ledger.
    func record(_ event: Event)
    /// A process was born or has a new program; the kernel holds it in the call `id` meanwhile.
    func gate(_ listener: Listener, holds process: TrackedProcess, command: String, isNew: Bool, in id: UInt64)
    /// A process has called `exit_group(2)`; the kernel holds it meanwhile.
    func gateSeesExit(of process: TrackedProcess)
    /// Sets the clock that a process started by Fracas reads, and all below it; why it could not be done, or nil.
    func setClock(of process: TrackedProcess, seconds: Int) -> String?
}

/// Decides every call the kernel hands over: whose it is, whether a point is reached, and what happens then. Everything in it
/// happens under the trial's lock; nothing is shared with another trial, and a call at which nothing happens allocates nothing.
public final class Gate {
    /// How many calls the kernel has handed over.
    public private(set) var intercepted = 0
    /// How many of them were decided.
    public private(set) var decided = 0
    /// How many of them came from threads that were gone before anyone could ask whose they are.
    public private(set) var unattributed = 0
    /// The processes of the trial.
    public let table: ProcessTable
    /// Which faults have fired, and which named points were reached, so far.
    public private(set) var reachedNames: Set<String> = []
    /// Whether anything but calls being let go on has happened since this was last set to false.
    public var hasNews = false
    /// Whether calls are followed to their return, so that `ThreadTrace.changes` must be watched.
    public let followsCalls: Bool
    let plan: Plan
    let matcher: PointMatcher
    let tracer: CallTracer
    let interruptions: Interruptions
    let cgroup: TrialCgroup?
    let delegate: any GateDelegate
    var due = DueActs()
    private var reached: [Int]
    private var counter: PointCounter
    private var held: [HeldCall] = []
    /// Calls that only the trial's own thread can take further: tracing binds a thread to the one that traces it.
    private var forTracer: [HeldCall] = []
    /// Far ends of sockets that were put in place of closed ones.
    var keptOpen: [Descriptor] = []

    /// A gate for one trial.
    /// - Parameter cgroup: the trial's own cgroup, where it has one.
    /// - Throws: `GateError` when a fault's line pattern is not a regular expression.
    public init(
        _ scenario: Scenario, schedule: Schedule, table: ProcessTable, cgroup: TrialCgroup?, delegate: any GateDelegate
    ) throws(GateError) {
        self.table = table
        self.cgroup = cgroup
        self.delegate = delegate
        plan = try Plan(schedule, scenario)
        matcher = try PointMatcher(plan, scenario.topology)
        tracer = CallTracer(restartCall: plan.restart)
        interruptions = Interruptions(plan)
        counter = PointCounter(schedule)
        reached = Array(repeating: 0, count: plan.names.count)
        followsCalls = plan.rules.contains(where: \.needsTracing)
    }

    /// The trial's own cgroup; nil where it has none.
    public var trialCgroup: TrialCgroup? { cgroup }

    /// When the next later act is due, in nanoseconds of `Clock`; nil when none is.
    public var nextDue: Int64? { due.next }

    /// How many calls have come by which a socket begins to take connections or datagrams, where the scenario waits for one.
    public private(set) var listened = 0

    /// The processes of which a call is held.
    public var processesHeld: [TrackedProcess] {
        (held + forTracer).map(\.process) + due.held.map(\.process)
    }

    /// Whether no call is held, nothing is followed and nothing is due: whatever the processes do next they do of themselves.
    public var isIdle: Bool { nextDue == nil && held.isEmpty && forTracer.isEmpty && tracer.isIdle }

    /// Takes on who tells which sockets of the trial belong together.
    public func knowSockets(_ peers: SocketPeers?) { matcher.peers = peers }

    /// Whether processes between which a channel may be used sockets of which nobody tells what is at their other ends.
    public var hasUntoldSockets: Bool { matcher.hasUntoldSockets }

    // MARK: a call arrives

    /// Decides one call that a listener has received.
    /// - Parameter turn: is passed on as soon as it is seen that deciding takes longer than a look; nil where nobody's is.
    /// - Returns: whether nothing is to be done to it: the caller then lets it go on, once it has left the trial's lock. Whoever is
    ///   let go runs at once, in the place of the thread that lets it go.
    public func serve(_ notification: StoppedCall, _ listener: Listener, _ turn: ReceivingTurn?) -> Bool {
        listener.sequence.receive(notification.id)
        guard notification.isNative else { return serveForeign(notification, listener, turn) }
        let isBegunAgain = interruptions.receive(notification)
        if !tracer.isIdle, tracer.resumes(notification) { return true }
        if isBegunAgain { return true }
        intercepted += 1
        let meaning = plan.meaning(of: notification.call)
        if !meaning.isDisjoint(with: .takesLonger) { turn?.pass() }
        guard let process = recognize(notification, listener, meaning) else {
            unattributed += 1
            decided += 1
            return true
        }
        process.count(call: notification.call)
        if notification.call == plan.returnFromSignal {
            interruptions.returns(notification, process, listener.sequence)
        }
        let standing = process.standing ?? stand(process)
        let candidates = plan.points(at: notification.call) & standing.points
        let isMark = notification.call == plan.write && notification.arguments.0 & 0xFFFF_FFFF == Filter.markDescriptor
        let mark = isMark ? readMark(notification, process, listener) : nil
        decided += 1
        guard candidates != .zero,
            let call = reachPoints(notification, process, listener, candidates, standing.slot, mark, turn)
        else {
            noteUnseen(process, meaning, isAnswered: false)
            return true
        }
        noteUnseen(process, meaning, isAnswered: call.answer != nil)
        settle(call)
        return false
    }

    /// A call as another architecture's programs make it: no plan is for it. That it was made is noted, for faults and counts leave it out.
    private func serveForeign(
        _ notification: StoppedCall, _ listener: Listener, _ turn: ReceivingTurn?
    ) -> Bool {
        intercepted += 1
        decided += 1
        turn?.pass()
        guard let process = recognize(notification, listener, []) else {
            unattributed += 1
            return true
        }
        process.count(call: .max)
        tell(.otherArchitecture, of: process)
        return true
    }

    /// Notes that a process does things from now on that no filter sees. One whose request for that is refused does not.
    private func noteUnseen(_ process: TrackedProcess, _ meaning: Plan.Meaning, isAnswered: Bool) {
        if meaning.contains(.goesUnseen), !isAnswered { tell(.asynchronous, of: process) }
    }

    private func tell(_ way: Unseen.Way, of process: TrackedProcess) {
        guard process.dealings.unseen.insert(way).inserted else { return }
        delegate.record(.unseen(Unseen(subject: process.subject, way: way)))
    }

    /// What signals did to calls before the gate had received them.
    public func brokenCalls(_ listeners: [Listener]) -> BrokenCalls? {
        let missed = listeners.reduce(0) { $0 + $1.sequence.missed }
        guard missed > 0 else { return nil }
        let counts = interruptions.counts
        return BrokenCalls(
            missed: missed, healed: counts.healed, restarted: counts.restarted, natural: counts.natural,
            unknown: counts.unknown)
    }

    /// Notes that processes which were stopped go on.
    public func willResume(_ processes: [TrackedProcess]) {
        for process in processes { interruptions.resumes(process) }
    }

    private func stand(_ process: TrackedProcess) -> TrackedProcess.Standing {
        let nearest = table.nearestRole(of: process)
        let above = nearest.map { [$0] + $0.ancestors } ?? []
        let standing = TrackedProcess.Standing(
            points: plan.points(reachableBy: above, own: process.role), slot: counter.slot(of: nearest))
        process.standing = standing
        return standing
    }

    /// Finds out whose call it is, and tells of births and ends.
    private func recognize(
        _ notification: StoppedCall, _ listener: Listener, _ meaning: Plan.Meaning
    ) -> TrackedProcess? {
        let process: TrackedProcess
        let roleChanges = table.roleChanges
        let identity = table.identify(
            notification.thread, announces: meaning.contains(.announces), isExecuting: meaning.contains(.executes))
        switch identity {
        case .gone: return nil
        case .known(let known): process = known
        case .born(let born, let command):
            process = born
            delegate.gate(listener, holds: born, command: command, isNew: true, in: notification.id)
        case .changed(let changed, let command):
            process = changed
            delegate.gate(listener, holds: changed, command: command, isNew: false, in: notification.id)
        }
        if table.roleChanges != roleChanges { hasNews = true }
        if meaning.contains(.executes) {
            let vector = notification.call == plan.execveat ? notification.arguments.2 : notification.arguments.1
            table.entersNewProgram(process, by: notification.thread, arguments: vector)
        } else if meaning.contains(.ends)
            || meaning.contains(.endsThread) && notification.thread == process.hostPid && process.hasOneThread
        {
            process.exitCode = Int32(notification.arguments.0 & 0xFF)
            table.willEnd(process, isHeld: true)
            delegate.gateSeesExit(of: process)
        } else if meaning.contains(.setsTimer) {
            process.dealings.setsTimers = true
        } else if meaning.contains(.listens) {
            listened += 1
            hasNews = true
        } else if meaning.contains(.asksForSignals), Filter.asksForSignals(notification.arguments.1) {
            process.dealings.setsTimers = true
        }
        return process
    }

    /// Looks which of the candidates the call is at, and does what they say.
    /// - Returns: the call, held, if it is at any.
    private func reachPoints(
        _ notification: StoppedCall, _ process: TrackedProcess, _ listener: Listener,
        _ candidates: TrackedProcess.PointSet, _ slot: Int, _ mark: Mark?, _ turn: ReceivingTurn?
    ) -> HeldCall? {
        var held: HeldCall?
        let unreadable = matcher.unreadable
        for word in 0..<4 {
            var bits = candidates[word]
            while bits != 0 {
                let rule = plan.rules[word << 6 | bits.trailingZeroBitCount]
                bits &= bits - 1
                guard isArmed(rule),
                    rule.isUnconditional || matcher.matches(rule, notification, process, mark, listener, table),
                    let nth = counter.arrive(slot, at: rule.index, call: rule.place(of: notification.call))
                else { continue }
                turn?.pass()
                let call = held ?? HeldCall(listener, notification, process, mark: mark.map { "mark \($0.name)" })
                held = call
                if rule.needsTracing { call.tracings.append((rule, nth)) } else { apply(rule, nth, to: call) }
            }
        }
        if matcher.unreadable > unreadable {
            delegate.record(.lost(Loss(what: "looks at output", subject: process.subject, count: 1)))
        }
        return held
    }

    private func isArmed(_ rule: Rule) -> Bool {
        if let after = rule.after, reached[after] == 0 { return false }
        if let before = rule.before, reached[before] > 0 { return false }
        return true
    }

    // MARK: what becomes of it

    /// Takes a held call as far as it can go now: it is held longer, answered, followed to its return, or let go on.
    func settle(_ call: HeldCall) {
        // A call that is let go on races with the signal that ends its process, and may win: it is never answered instead.
        if call.endsCaller {
            guard call.mayBeSpared else { return }
            // What a process does about a signal cannot be seen for sure: one that still lives has not ended by it.
            call.endsCaller = false
            due.add(.settle(call), at: Clock.now() + HeldCall.longestEnd)
            return
        }
        if call.delay > 0 {
            due.add(.settle(call), at: Clock.now() + call.delay)
            call.delay = 0
            return
        }
        if !call.holds.isEmpty {
            held.append(call)
            return
        }
        if case .entry = call.place { leaveEntry(call) } else { handToTracer(call) }
    }

    private func handToTracer(_ call: HeldCall) {
        forTracer.append(call)
        hasNews = true
    }

    private func leaveEntry(_ call: HeldCall) {
        switch call.answer {
        case .error(let errno):
            if errno == EINTR { interruptions.answersInterrupted(call.notification) }
            call.listener.fail(call.notification.id, errno: errno)
        case .value(let value): call.listener.answer(call.notification.id, value: Int64(value))
        case nil:
            guard !call.tracings.isEmpty else {
                call.listener.proceed(call.notification.id)
                return
            }
            handToTracer(call)
            return
        }
        for (rule, nth) in call.tracings {
            finish(rule, injection(rule, nth, call, failure: "another fault answered the call, so it never ran"))
        }
    }

    /// Looks after calls that are followed to their return: begins, watches and ends it. To be called on the trial's own thread
    /// whenever there are news, or `ThreadTrace.changes` tells of a change.
    public func followCalls() {
        // What is looked at may reach points, and so let others go: until nothing more comes of it.
        repeat {
            let calls = forTracer
            forTracer = []
            for call in calls { if case .exit(let trace) = call.place { leaveExit(call, trace) } else { follow(call) } }
            watchFollowed()
        } while !forTracer.isEmpty
    }

    private func follow(_ call: HeldCall) {
        do { try tracer.begin(call) } catch {
            for (rule, nth) in call.tracings {
                finish(rule, injection(rule, nth, call, failure: "attach to the thread: \(error)"))
            }
            call.listener.proceed(call.notification.id)
        }
    }

    private func leaveExit(_ call: HeldCall, _ trace: ThreadTrace) {
        switch call.answer {
        case .error(let errno): trace.set(answer: -Int64(errno))
        case .value(let value): trace.set(answer: Int64(value))
        case nil: break
        }
        tracer.release(trace)
    }

    private func watchFollowed() {
        guard !tracer.isIdle else { return }
        tracer.poll(shorten: { shorten($0) }) { call, trace, answer in
            let tracings = call.tracings
            call.tracings = []
            for (rule, nth) in tracings {
                if case .short = rule.action {
                    finishShort(rule, nth, call, answer)
                } else {
                    apply(rule, nth, to: call)
                }
            }
            settle(call)
        }
    }

    /// Waits for every thread that is still followed; for when their processes have been killed.
    public func endFollowing() { tracer.awaitEnds() }

    // MARK: points reached

    /// Notes that a fault has fired or a named point was reached, and lifts the holds that wait for it.
    func reach(_ rule: Rule) {
        reached[rule.index] += 1
        reachedNames.insert(rule.name)
        hasNews = true
        liftHolds(until: rule.index)
    }

    /// Notes that a step begins: windows and holds may refer to it.
    public func stepBegins(_ index: Int) {
        reached[plan.rules.count + index] += 1
        liftHolds(until: plan.rules.count + index)
    }

    func hasReached(_ index: Int) -> Bool { reached[index] > 0 }

    private func liftHolds(until index: Int) {
        guard held.contains(where: { $0.holds.contains { $0.rule.until == index } }) else { return }
        for call in held {
            let lifted = call.holds.filter { $0.rule.until == index }
            call.holds.removeAll { $0.rule.until == index }
            for (rule, nth) in lifted {
                finish(rule, injection(rule, nth, call, action: "released by \(plan.names[index])"))
            }
        }
        letGo()
    }

    /// A hold's bound has passed: it is lifted, and has not done what it was for.
    func expireHold(_ rule: Rule, of call: HeldCall) {
        guard let place = call.holds.firstIndex(where: { $0.rule === rule }) else { return }
        let nth = call.holds.remove(at: place).nth
        finish(rule, injection(rule, nth, call, failure: "its bound passed before what it waited for came"))
        letGo()
    }

    private func letGo() {
        let free = held.filter(\.holds.isEmpty)
        held.removeAll(where: \.holds.isEmpty)
        for call in free { settle(call) }
    }

    /// Lets every call that is held go on now, as when a trial is being torn down.
    public func releaseAll() {
        perform(dueBy: .max)
        for call in held { call.holds = [] }
        letGo()
    }

    // MARK: marks

    private func readMark(_ call: StoppedCall, _ process: TrackedProcess, _ listener: Listener) -> Mark? {
        let output = TargetMemory.output(of: call, isVector: false)
        // Whoever was killed in the call has not made it: nothing is lost.
        guard listener.isValid(call.id) else { return nil }
        guard let text = output else {
            delegate.record(.lost(Loss(what: "marks", subject: process.subject, count: 1)))
            return nil
        }
        guard let mark = MarkText.parse(text, of: process.subject) else {
            let problem = "a mark of \(process.role?.description ?? "process \(process.pid)") is not a flat JSON object"
            delegate.record(.trouble(Trouble(message: "\(problem) with a \"mark\" name: \(text.prefix(120))")))
            return nil
        }
        delegate.record(.mark(mark))
        return mark
    }
}
