import Evidence
import Scenarios

/// What has to come must come: what a step says with `must`, and after a fault every start.
public struct LivenessChecker: Checker {
    /// `liveness`.
    public let name = "liveness"

    /// Makes the checker.
    public init() {}

    /// A violation for what was owed and did not come, by its deadline or because a process ended before; a problem for what nobody owed.
    public func check(_ history: History) -> Findings {
        var findings = Findings()
        var sawStep = false
        for record in history.observed {
            switch record.event {
            case .hang(let hang):
                guard let missing = hang.missing, let step = hang.step else { continue }
                sawStep = true
                judge(hang, missing, step, record.seq, history, &findings)
            case .step(let change) where change.state == .failed:
                guard let missing = change.missing, Liveness.blame(of: change, history) == .owed else { continue }
                sawStep = true
                let role = History.general(change.ended?.role)
                findings.violations.append(
                    violation(missing, role, change.name, change.detail ?? "\(role) ended before", [record.seq]))
            default: break
            }
        }
        let owes = history.header.scenario.steps.contains { $0.isOwed == true }
        if !sawStep, !owes, !history.wasFaulty { return .notChecked("no step says that something must come") }
        return findings
    }

    private func judge(
        _ hang: Hang, _ missing: String, _ step: String, _ seq: Int, _ history: History, _ findings: inout Findings
    ) {
        let wait = Wait(hang, history)
        let roles = wait.roles.isEmpty ? "nobody" : wait.roles
        if let threads = hang.standstill {
            // What the hang checker does not call a deadlock is a place that the trial does not come to, or a server with nothing to do.
            if Liveness.isAccusing(hang, history) { return }
            let message = "\(hang.detail) did not come in step '\(step)' and \(Hang.cannotCome(threads))"
            if Liveness.isOwed(step, history) {
                findings.violations.append(violation(missing, roles, step, message, [seq] + wait.records))
            } else {
                let text = ([message] + wait.doing).joined(separator: "; ") + "; is the pattern, or the place, right?"
                if isOwn(missing, step, history) {
                    findings.misses.append(text)
                } else {
                    findings.problems.append(text)
                }
            }
            return
        }
        let message = "\(hang.detail) did not come within \(wait.seconds) s in step '\(step)'"
        let excuse = wait.excuse ?? Liveness.excuse(hang, history)
        guard Liveness.isOwed(step, history), excuse == nil else {
            let why = excuse.map { ", and nobody can be blamed: \($0)" } ?? ""
            let text = ([message + why] + wait.doing).joined(separator: "; ") + wait.lastLines
            let isMiss = excuse == nil && isOwn(missing, step, history)
            if isMiss { findings.misses.append(text) } else { findings.problems.append(text) }
            return
        }
        let all = ([message + wait.births] + wait.doing).joined(separator: "; ") + wait.lastLines
        findings.violations.append(violation(missing, roles, step, all, [seq] + wait.records))
    }

    /// Whether it is the trial's own faults that leave nothing to tell: one was not come to, or a topology did not stand after one.
    private func isOwn(_ missing: String, _ step: String, _ history: History) -> Bool {
        let isStart = history.header.scenario.steps.contains {
            if $0.name == step, case .start = $0.action { true } else { false }
        }
        return missing.hasPrefix("'") || isStart && history.wasFaulty
    }

    private func violation(
        _ missing: String, _ roles: String, _ step: String, _ message: String, _ records: [Int]
    ) -> Violation {
        Violation(
            checker: name, signature: "never came: \(missing) of \(roles) in \(step)", message: message,
            records: records)
    }
}

/// Who owes what: shared by the checkers that a step in vain concerns.
enum Liveness {
    /// What a process's end before its time means.
    enum Blame {
        /// What it was to give was owed.
        case owed
        /// The way in which it ended is a finding of its own.
        case byExit
        /// Nobody's, or it cannot be told.
        case none
    }

    /// Whether what a step waits for must come: it says so, or it starts something after a fault.
    static func isOwed(_ name: String, _ history: History) -> Bool {
        guard let step = history.header.scenario.steps.first(where: { $0.name == name }) else { return false }
        if let isOwed = step.isOwed { return isOwed }
        if case .start = step.action { return history.wasFaulty }
        return false
    }

    /// Whether a standstill accuses the target. That a fault's place or a named point is not come to says nothing of the target; and one
    /// that waits for connections, where nothing was done to anybody, is a server with nothing to do, which says it is ready in another way.
    static func isAccusing(_ hang: Hang, _ history: History) -> Bool {
        guard let missing = hang.missing else { return true }
        if missing.hasPrefix("'") { return false }
        if history.header.scenario.steps.first(where: { $0.name == hang.step })?.isOwed == false { return false }
        let isIdle =
            !hang.waitingFor.isEmpty
            && hang.waitingFor.allSatisfy { waiter in
                hang.doing?.first { $0.subject.pid == waiter.pid }?.awaitsConnections == true
            }
        return !isIdle || history.wasFaulty || isOwed(hang.step ?? "", history)
    }

    /// Why nobody owes what a stopped process was to give.
    static func excuse(_ hang: Hang, _ history: History) -> String? {
        guard !hang.waitingFor.isEmpty, hang.waitingFor.allSatisfy({ history.touched.contains($0.pid) }) else {
            return nil
        }
        let stopped = hang.waitingFor.filter { history.stopped.contains($0.pid) }
        return stopped.first.map { "a fault had stopped \(History.name($0))" }
    }

    /// Whose doing it is that a process ended before what it was to give. What a fault did something to may not be blamed, and the first
    /// start of a trial without a fault says only that the topology never stood.
    static func blame(of change: StepChange, _ history: History) -> Blame {
        guard change.missing != nil, let ended = change.ended, !history.touched.contains(ended.pid),
            history.header.scenario.steps.indices.contains(change.index)
        else { return .none }
        let step = history.header.scenario.steps[change.index]
        guard let exit = history.exits.last(where: { $0.exit.subject.pid == ended.pid })?.exit, let status = exit.status
        else { return .none }
        let isAllowed = ended.role.map { ExitChecker.isAllowed(status, of: ended, $0, history) } ?? true
        if case .start = step.action {
            let isOwed = step.isOwed ?? history.wasFaulty
            guard isOwed || step.isOwed == nil && history.isRestart(change.index) else { return .none }
            return isAllowed ? (isOwed ? .owed : .none) : .byExit
        }
        guard step.isOwed == true else { return .none }
        return isAllowed ? .owed : .byExit
    }
}
