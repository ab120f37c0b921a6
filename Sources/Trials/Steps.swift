import Evidence
import Gate
import Platform
import Scenarios
import Topologies

/// How far one step has come.
struct StepProgress {
    let index: Int
    let began: Int64
    /// Later than the step says where the host has kept the processes from running.
    var deadline: Int64
    /// For a `run` step: the role of its command.
    var command: Role?
    /// How many processes there had been before: what a `start` step starts comes after them.
    var processesBefore = 0
    /// How many lines each process to be started again had printed by which it is known to be ready.
    var linesBefore: [Role: Int] = [:]
    /// What the processes had used before, by their ids in our own pid namespace.
    var use: [Int32: ProcessorUse] = [:]
}

/// What a step's end means.
enum StepOutcome {
    case pending
    case done(String?)
    case failed(String)
    /// A process ended before something came that it was to give.
    case endedBefore(Missing, TrackedProcess)
}

extension TrialLoop {
    /// Begins a step, or the end of the trial after the last one.
    func beginStep(_ index: Int) {
        guard index < plan.scenario.steps.count else { return beginEnding() }
        let step = plan.scenario.steps[index]
        let now = Clock.now()
        record(.step(StepChange(index: index, name: step.name, state: .began)))
        var progress = StepProgress(index: index, began: now, deadline: now + step.within.nanoseconds)
        progress.processesBefore = gate.table.all.count
        progress.use = useOfProcessors()
        gate.stepBegins(index)
        setTimedFaults(step: step.name, isFirst: index == 0, now: now)
        var failure: String?
        switch step.action {
        case .start(let roles, _):
            for process in plan.scenario.topology.processes where roles?.matches(process.role) ?? true {
                if case .log(let pattern, _) = process.ready {
                    progress.linesBefore[process.role] = lines.count(of: pattern, role: process.role)
                }
                starts.failures[process.role] = nil
                startProcess(
                    process.role, command: process.command, environment: process.environment,
                    directory: process.directory)
            }
        case .wait: break
        case .signal(let roles, let signal):
            if send(signal, to: roles, step.toGroup) == 0 { failure = "no live process matches '\(roles)'" }
        case .stop(let roles, let signal): if let signal { send(signal, to: roles, step.toGroup) }
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

    /// Sends a signal to every live process that matches, or to each one's whole group.
    /// - Returns: how many processes it was sent to.
    @discardableResult
    private func send(_ signal: Signal, to roles: RolePattern, _ toGroup: Bool) -> Int {
        let matching = gate.table.live(roles)
        for process in matching { gate.table.willEnd(process, isHeld: false) }
        let groups = toGroup ? Set(matching.compactMap { ProcessGroup.of($0.hostPid) }) : []
        let reached =
            toGroup
            ? groups.sorted().flatMap { send(signal, toGroup: $0) }
            : matching.filter { $0.handle?.hasEnded == false && (try? $0.handle?.send(signal.number)) != nil }
        for process in reached {
            process.dealings.lastSignal = signal
            record(.signal(SignalSent(subject: process.subject, signal: signal)))
        }
        return reached.count
    }

    /// Sends a signal to all of a group at once, as a terminal does.
    /// - Returns: the processes that were in it.
    private func send(_ signal: Signal, toGroup group: Int32) -> [TrackedProcess] {
        let members = gate.table.all.filter { !$0.hasExited && ProcessGroup.of($0.hostPid) == group }
        return (try? ProcessGroup.send(signal.number, to: group)) == nil ? [] : members
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
                    if now < limit, let later = laterDeadline(progress, now) {
                        var progress = progress
                        progress.deadline = later
                        stage = .stepping(progress)
                        return
                    }
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

    func finishStep(_ progress: StepProgress, _ outcome: StepOutcome) {
        listenerWatch.rest()
        let name = plan.scenario.steps[progress.index].name
        switch outcome {
        case .pending: break
        case .done(let detail):
            record(.step(StepChange(index: progress.index, name: name, state: .done, detail: detail)))
            beginStep(progress.index + 1)
        case .failed(let reason):
            record(.step(StepChange(index: progress.index, name: name, state: .failed, detail: reason)))
            finish(.failed)
        case .endedBefore(let missing, let process):
            let detail = wrongEnd(of: process, " before \(missing.what)")
            record(
                .step(
                    StepChange(
                        index: progress.index, name: name, state: .failed, detail: detail, missing: missing.name,
                        ended: process.subject)))
            finish(.failed)
        }
    }
}
