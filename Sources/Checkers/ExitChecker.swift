import Evidence
import Scenarios

/// Every process with a role must end in a way that is allowed: exit 1 above all is not.
public struct ExitChecker: Checker {
    /// `exit`.
    public let name = "exit"

    /// Makes the checker.
    public init() {}

    /// One violation per process that ended wrongly.
    public func check(_ history: History) -> Findings {
        if history.startFailed { return .notChecked("the topology never stood") }
        var findings = Findings()
        for (seq, exit) in history.exits {
            // Of a program that never ran nothing has ended: the step that wanted it has failed.
            guard let role = exit.subject.role, exit.startFailure == nil else { continue }
            guard let status = exit.status else {
                findings.problems.append("how \(History.name(exit.subject)) ended is not known on this host")
                continue
            }
            guard !Self.isAllowed(status, of: exit.subject, role, history, at: seq) else { continue }
            // Where a start failed, what a fault did something to did not fail by itself.
            if history.failedStart != nil, history.touched.contains(exit.subject.pid) { continue }
            let violation = Violation(
                checker: name, signature: "\(status) of \(History.general(role))",
                message: "\(History.name(exit.subject)) ended with \(status)", records: [seq],
                role: role.description)
            if Self.rule(for: role, history) == nil, isConsequence(status, of: role, history, seq) {
                findings.consequences.append(violation)
            } else {
                findings.violations.append(violation)
            }
        }
        return findings
    }

    private static func rule(for role: Role, _ history: History) -> [ExitStatus]? {
        // A step that says what it must come to is nearer than a rule for roles.
        if case .deployment(let step)? = history.header.scenario.step(starting: role)?.action { return step.expected }
        return history.expect.exits.first { $0.roles.matches(role) }?.allowed
    }

    /// Whether a process may end so.
    /// - Parameter seq: the place of its end in the ledger.
    static func isAllowed(
        _ status: ExitStatus, of subject: Subject, _ role: Role, _ history: History, at seq: Int = .max
    ) -> Bool {
        let allowed = rule(for: role, history)
        if (allowed ?? [.code(0)]).contains(status) { return true }
        // What is allowed once somebody was killed is so besides.
        let besides = history.killedRules(at: seq).flatMap(\.exits)
        if besides.contains(where: { $0.roles.matches(role) && $0.allowed.contains(status) }) { return true }
        guard case .signal(let signal) = status else { return false }
        // What a fault or a step killed could not help it. A signal that can be caught is a request, whoever makes it: then a
        // process must end as its rule says, unless it had said by exit_group(2) how it ends when the signal came.
        let byFault = history.signalsOfFaults[subject.pid]?.contains(signal) == true
        let byStep = history.signalsOfSteps[subject.pid]?.contains(signal) == true
        if byFault || byStep, !signal.canBeCaught || history.cameAtExit(signal, to: subject.pid) { return true }
        return allowed == nil && (byFault || byStep)
    }

    /// Whether an end is one that a kill brings on others by itself: a write to a pipe whose reader was killed ends by `SIGPIPE`, and a
    /// shell whose child was killed says so by its exit code.
    private func isConsequence(_ status: ExitStatus, of role: Role, _ history: History, _ seq: Int) -> Bool {
        let kills = history.kills.filter { $0.isByFault && $0.seq < seq }
        switch status {
        case .signal(let signal): return signal == .pipe && !kills.isEmpty
        case .code(let code):
            return code == 128 + Int(Signal.kill.number)
                && kills.contains { $0.role?.ancestors.contains(role) ?? false }
        }
    }
}
