import Evidence
import Gate
import Platform
import Scenarios
import Topologies

/// How far one step has come.
struct StepProgress {
    let index: Int
    let began: Int64
    let deadline: Int64
    /// For a `run` step: the role of its command.
    var command: Role?
}

/// What a step's end means.
enum StepOutcome {
    case pending
    case done(String?)
    case failed(String)
}

extension TrialLoop {
    /// Begins a step, or the end of the trial after the last one.
    func beginStep(_ index: Int) {
        guard index < plan.scenario.steps.count else { return beginEnding() }
        let step = plan.scenario.steps[index]
        let now = Clock.now()
        record(.step(StepChange(index: index, name: step.name, state: .began)))
        var progress = StepProgress(index: index, began: now, deadline: now + step.within.nanoseconds)
        gate.stepBegins(index)
        setTimedFaults(step: step.name, isFirst: index == 0, now: now)
        var failure: String?
        switch step.action {
        case .start(let roles, _):
            for process in plan.scenario.topology.processes where roles?.matches(process.role) ?? true {
                startProcess(
                    process.role, command: process.command, environment: process.environment,
                    directory: process.directory)
            }
        case .wait: break
        case .signal(let roles, let signal):
            if send(signal, to: roles) == 0 { failure = "no live process matches '\(roles)'" }
        case .stop(let roles, let signal): if let signal { send(signal, to: roles) }
        case .run(let command, let environment): progress.command = startCommand(index, command, environment)
        case .deployment(let deployment): progress.command = startCommand(index, deployment.command, [:])
        }
        stage = .stepping(progress)
        if let failure { finishStep(progress, .failed(failure)) }
    }

    /// Starts the process that a step is.
    private func startCommand(_ index: Int, _ command: [String], _ environment: [String: String]) -> Role? {
        guard let role = plan.scenario.role(ofStep: index) else { return nil }
        startProcess(role, command: command, environment: environment, directory: nil)
        return role
    }

    @discardableResult
    private func send(_ signal: Signal, to roles: RolePattern) -> Int {
        var reached = 0
        for process in gate.table.live(roles) {
            gate.table.willEnd(process, isHeld: false)
            guard let handle = process.handle, !handle.hasEnded, (try? handle.send(signal.number)) != nil else { continue }
            reached += 1
            record(.signal(SignalSent(subject: process.subject, signal: signal)))
        }
        return reached
    }

    /// Moves the trial on as far as what has happened allows.
    func advance(_ now: Int64, limit: Int64) {
        // Each pass either moves on to another stage or is the last; a scenario has at most a few dozen steps.
        for _ in 0...(plan.scenario.steps.count + 4) {
            switch stage {
            case .settingUp, .over:
                if now >= limit, case .settingUp = stage {
                    trouble("the trial's namespaces were not set up within its limit")
                    stage = .over
                }
                return
            case .stepping(let progress):
                let outcome = outcome(of: progress)
                if case .pending = outcome {
                    guard now >= min(progress.deadline, limit) else { return }
                    giveUp(progress, now, progress.deadline > limit ? .limit : .deadline)
                } else {
                    finishStep(progress, outcome)
                }
            case .ending(let deadline):
                guard endIsReached(now >= min(deadline, limit)) else { return }
            case .autopsy(let deadline, let asked):
                guard autopsyIsDone(asked, now >= deadline) else { return }
            }
        }
    }

    private func finishStep(_ progress: StepProgress, _ outcome: StepOutcome) {
        let name = plan.scenario.steps[progress.index].name
        switch outcome {
        case .pending: break
        case .done(let detail):
            record(.step(StepChange(index: progress.index, name: name, state: .done, detail: detail)))
            beginStep(progress.index + 1)
        case .failed(let reason):
            record(.step(StepChange(index: progress.index, name: name, state: .failed, detail: reason)))
            finish(.failed)
        }
    }

    // MARK: conditions

    private func outcome(of progress: StepProgress) -> StepOutcome {
        let step = plan.scenario.steps[progress.index]
        switch step.action {
        case .start(let roles, let ready): return startOutcome(roles, waitForReady: ready)
        case .signal: return .done(nil)
        case .stop(let roles, _):
            return gate.table.live(roles).isEmpty ? .done(nil) : .pending
        case .run:
            guard let role = progress.command else { return .failed("the command was never started") }
            if let reason = startFailure(of: role) { return .failed(reason) }
            guard let process = ended(role) else { return .pending }
            return process.exitCode == 0 || process.reapedStatus == 0
                ? .done(nil) : .failed(wrongEnd(of: process, ", not with exit 0"))
        case .deployment(let deployment):
            guard let role = progress.command else { return .failed("the command was never started") }
            if let reason = startFailure(of: role) { return .failed(reason) }
            guard let process = ended(role) else { return .pending }
            guard let status = status(of: process) else { return .failed("how \(role) ended is not known") }
            if deployment.expected.contains(status) { return .done(deployment.says(status)) }
            let expected = deployment.expected.map(deployment.says).joined(separator: " or ")
            return .failed("\(role) ended with \(deployment.says(status)), expected was \(expected)")
        case .wait(.reached(let name)):
            if gate.reachedNames.contains(name) { return .done(nil) }
            return isAnythingLeft ? .pending : .failed("everything had ended before '\(name)' came")
        case .wait(.exit(let roles)):
            let expected = expectedRoles(roles)
            return !expected.isEmpty && expected.allSatisfy { ended($0) != nil } ? .done(nil) : .pending
        case .wait(.log(let roles, let pattern, let count)):
            for role in expectedRoles(roles) where lines.count(of: pattern, role: role) < count {
                if let process = ended(role) {
                    return .failed(wrongEnd(of: process, " before it printed /\(pattern)/"))
                }
                return .pending
            }
            return expectedRoles(roles).isEmpty ? .failed("no process can match '\(roles)'") : .done(nil)
        }
    }

    private func startOutcome(_ roles: RolePattern?, waitForReady: Bool) -> StepOutcome {
        for process in plan.scenario.topology.processes where roles?.matches(process.role) ?? true {
            if let reason = startFailure(of: process.role) { return .failed("\(process.role): \(reason)") }
            guard gate.table.all.contains(where: { $0.role == process.role && ($0.runs || $0.hasExited) }) else {
                return .pending
            }
            guard waitForReady else { continue }
            switch process.ready {
            case nil: break
            case .exit:
                guard let end = ended(process.role) else { return .pending }
                guard end.reapedStatus == 0 else { return .failed(wrongEnd(of: end, ", not with exit 0")) }
            case .log(let pattern):
                if lines.count(of: pattern, role: process.role) > 0 { continue }
                if let end = ended(process.role) {
                    return .failed(wrongEnd(of: end, " before it was ready (it never printed /\(pattern)/)"))
                }
                return .pending
            }
        }
        return .done(nil)
    }

    /// The roles a pattern can mean in this topology: those there must be, whether or not they have come to life yet.
    func expectedRoles(_ pattern: RolePattern) -> [Role] {
        var roles = plan.scenario.topology.processes.map(\.role)
        for rule in plan.scenario.topology.children {
            let parents = roles.filter(rule.parent.matches)
            roles += parents.flatMap { parent in (0..<(rule.count ?? 0)).map { parent.child(rule.name, $0) } }
        }
        let seen = gate.table.all.compactMap(\.role)
        return Set(roles + seen).filter(pattern.matches).sorted { $0.description < $1.description }
    }

    /// Whether anything lives, or is about to, that could still do something.
    private var isAnythingLeft: Bool { isStarting || gate.table.all.contains { !$0.hasExited } }

    private func ended(_ role: Role) -> TrackedProcess? {
        gate.table.all.last { $0.role == role && $0.hasExited }
    }

    /// Why what a step waits for is waited for no longer.
    enum WaitEnd {
        /// The step's time is over.
        case deadline
        /// The trial's is.
        case limit
        /// It cannot come any more: so many threads wait for each other.
        case standstill(threads: Int)
    }

    /// Ends a step that has waited for long enough.
    func giveUp(_ progress: StepProgress, _ now: Int64, _ end: WaitEnd) {
        let step = plan.scenario.steps[progress.index]
        let waited = now - progress.began
        var (name, why, standstill) = (step.name, "within \(Self.seconds(step.within.nanoseconds)) s", Int?.none)
        switch end {
        case .deadline: break
        case .limit: (name, why) = ("trial", "within \(Self.seconds(waited)) s")
        case .standstill(let threads): (why, standstill) = ("and \(Hang.cannotCome(threads))", threads)
        }
        switch step.action {
        case .start(let roles, _):
            finishStep(progress, .failed("the topology was not ready \(why)\(unready(of: roles))"))
        case .wait(.reached(let name)):
            finishStep(progress, .failed("'\(name)' did not come \(why)"))
        case .wait(.log(_, let pattern, _)):
            finishStep(progress, .failed("/\(pattern)/ was not printed \(why)"))
        case .wait(.exit(let roles)), .stop(let roles, _):
            hang(name, waited, gate.table.live(roles), "the exit of '\(roles)'", standstill: standstill)
        case .run, .deployment, .signal:
            let command = progress.command.map { gate.table.live(RolePattern($0)) } ?? []
            hang(name, waited, command, "the end of the command", standstill: standstill)
        }
    }

    private static func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds / 1_000_000) / 1000 }
}
