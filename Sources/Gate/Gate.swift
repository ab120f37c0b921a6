public import Evidence
import Platform
public import Schedules
public import Scenarios
import SystemPackage
public import Topologies

/// What the gate tells the trial that owns it. All calls come on the trial's thread.
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

/// Decides every call the kernel hands over: whose it is, whether a point is reached, and what happens then. Confined to the
/// trial's thread; nothing in it is shared with another trial, and a call at which nothing happens allocates nothing.
public final class Gate {
    /// How many calls the kernel has handed over.
    public private(set) var intercepted = 0
    /// How many of them were decided.
    public private(set) var decided = 0
    /// How many of them came from threads that were gone before anyone could ask whose they are.
    public private(set) var unattributed = 0
    /// The processes of the trial.
    public var table: ProcessTable
    /// Which faults have fired, and which named points were reached, so far.
    public private(set) var reachedNames: Set<String> = []
    /// Whether anything but calls being let go on has happened since this was last set to false.
    public var hasNews = false
    /// Whether calls are followed to their return, so that `ThreadTrace.changes` must be watched.
    public let followsCalls: Bool
    let plan: Plan
    let matcher: PointMatcher
    let tracer: CallTracer
    let cgroup: TrialCgroup?
    weak var delegate: (any GateDelegate)?
    var due = DueActs()
    private var reached: [Int]
    private var counter: PointCounter
    private var held: [HeldCall] = []
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
        plan = try Plan(schedule, scenario.topology)
        matcher = try PointMatcher(plan, scenario.topology)
        tracer = CallTracer(restartCall: plan.restart)
        counter = PointCounter(schedule)
        reached = Array(repeating: 0, count: plan.rules.count)
        followsCalls = plan.rules.contains(where: \.needsTracing)
    }

    /// When the next later act is due, in nanoseconds of `Clock`; nil when none is.
    public var nextDue: Int64? { due.next }

    // MARK: a call arrives

    /// Takes one call from a listener and decides it.
    public func serve(_ listener: Listener) {
        guard let notification = listener.receive() else { return }
        if !tracer.isIdle, tracer.resumes(notification) {
            listener.proceed(notification.id)
            return
        }
        intercepted += 1
        let meaning = plan.meaning(of: notification.call)
        guard let process = recognize(notification, listener, meaning) else {
            unattributed += 1
            listener.proceed(notification.id)
            decided += 1
            return
        }
        process.count(call: notification.call)
        let standing = process.standing ?? stand(process)
        let candidates = plan.points(at: notification.call) & standing.points
        let isMark = notification.call == plan.write && notification.arguments.0 & 0xFFFF_FFFF == Filter.markDescriptor
        if candidates == .zero && !isMark {
            listener.proceed(notification.id)
        } else {
            decide(HeldCall(listener, notification, process), candidates, standing.slot, isMark)
        }
        decided += 1
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
        _ notification: Notification, _ listener: Listener, _ meaning: Plan.Meaning
    ) -> TrackedProcess? {
        let process: TrackedProcess
        let identity = table.identify(
            notification.thread, announces: meaning.contains(.announces), isExecuting: meaning.contains(.executes))
        switch identity {
        case .gone: return nil
        case .known(let known): process = known
        case .born(let born, let command):
            process = born
            hasNews = true
            delegate?.gate(listener, holds: born, command: command, isNew: true, in: notification.id)
        case .changed(let changed, let command):
            process = changed
            hasNews = true
            delegate?.gate(listener, holds: changed, command: command, isNew: false, in: notification.id)
        }
        if meaning.contains(.executes) {
            table.entersNewProgram(process)
        } else if meaning.contains(.ends) {
            process.exitCode = Int32(notification.arguments.0 & 0xFF)
            delegate?.gateSeesExit(of: process)
        }
        return process
    }

    private func decide(
        _ call: HeldCall, _ candidates: TrackedProcess.PointSet, _ slot: Int, _ isMark: Bool
    ) {
        let mark = isMark ? readMark(call) : nil
        let unreadable = matcher.unreadable
        for word in 0..<4 {
            var bits = candidates[word]
            while bits != 0 {
                let rule = plan.rules[word << 6 | bits.trailingZeroBitCount]
                bits &= bits - 1
                guard let point = rule.point, isArmed(rule),
                    matcher.matches(rule, point, call.notification, call.process, mark, call.listener, table),
                    let nth = counter.arrive(slot, at: rule.index)
                else { continue }
                if rule.needsTracing { call.tracings.append((rule, nth)) } else { apply(rule, nth, to: call) }
            }
        }
        if matcher.unreadable > unreadable {
            delegate?.record(.lost(Loss(what: "looks at output", subject: call.process.subject, count: 1)))
        }
        settle(call)
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
        if call.endsCaller { return }
        if call.delay > 0 {
            due.add(.settle(call), at: Clock.now() + call.delay)
            call.delay = 0
            return
        }
        if !call.holds.isEmpty {
            held.append(call)
            return
        }
        switch call.place {
        case .exit(let trace):
            switch call.answer {
            case .error(let errno): trace.set(answer: -Int64(errno))
            case .value(let value): trace.set(answer: Int64(value))
            case nil: break
            }
            tracer.release(trace)
        case .entry: leaveEntry(call)
        }
    }

    private func leaveEntry(_ call: HeldCall) {
        switch call.answer {
        case .error(let errno): call.listener.fail(call.notification.id, errno: errno)
        case .value(let value): call.listener.answer(call.notification.id, value: Int64(value))
        case nil:
            guard !call.tracings.isEmpty else {
                call.listener.proceed(call.notification.id)
                return
            }
            do {
                try tracer.begin(call)
                return
            } catch {
                for (rule, nth) in call.tracings {
                    finish(rule, injection(rule, nth, call, failure: "attach to the thread: \(error)"))
                }
            }
            call.listener.proceed(call.notification.id)
            return
        }
        for (rule, nth) in call.tracings {
            finish(rule, injection(rule, nth, call, failure: "another fault answered the call, so it never ran"))
        }
    }

    /// Looks after calls that are followed to their return. To be called when `ThreadTrace.changes` tells of a change.
    public func followCalls() {
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

    func hasReached(_ index: Int) -> Bool { reached[index] > 0 }

    private func liftHolds(until index: Int) {
        guard held.contains(where: { $0.holds.contains { $0.rule.until == index } }) else { return }
        for call in held {
            let lifted = call.holds.filter { $0.rule.until == index }
            call.holds.removeAll { $0.rule.until == index }
            for (rule, nth) in lifted {
                finish(rule, injection(rule, nth, call, action: "released by \(plan.rules[index].name)"))
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

    private func readMark(_ call: HeldCall) -> Mark? {
        let process = call.process
        guard let text = TargetMemory.output(of: call.notification, isVector: false),
            call.listener.isValid(call.notification.id)
        else {
            delegate?.record(.lost(Loss(what: "marks", subject: process.subject, count: 1)))
            return nil
        }
        guard let mark = MarkText.parse(text, of: process.subject) else {
            let problem = "a mark of \(process.role?.description ?? "process \(process.pid)") is not a flat JSON object"
            delegate?.record(.trouble(Trouble(message: "\(problem) with a \"mark\" name: \(text.prefix(120))")))
            return nil
        }
        delegate?.record(.mark(mark))
        return mark
    }
}
