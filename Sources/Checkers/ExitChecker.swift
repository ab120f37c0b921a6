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
            guard !Self.isAllowed(status, of: exit.subject, role, history) else { continue }
            // Where a start failed, what a fault did something to did not fail by itself.
            if history.failedStart != nil, history.touched.contains(exit.subject.pid) { continue }
            findings.violations.append(
                Violation(
                    checker: name, signature: "\(status) of \(History.general(role))",
                    message: "\(History.name(exit.subject)) ended with \(status)", records: [seq],
                    role: role.description))
        }
        return findings
    }

    static func isAllowed(_ status: ExitStatus, of subject: Subject, _ role: Role, _ history: History) -> Bool {
        var allowed = history.expect.exits.first { $0.roles.matches(role) }?.allowed
        // A step that says what it must come to is nearer than a rule for roles.
        if case .deployment(let step)? = history.header.scenario.step(starting: role)?.action {
            allowed = step.expected
        }
        if (allowed ?? [.code(0)]).contains(status) { return true }
        guard case .signal(let signal) = status else { return false }
        // What a fault killed could not help it. A signal that can be caught is a request, whoever makes it: then a process must
        // end as its rule says.
        let byFault = history.signalsOfFaults[subject.pid]?.contains(signal) == true
        if byFault, !signal.canBeCaught { return true }
        return allowed == nil && (byFault || history.signalsOfSteps[subject.pid]?.contains(signal) == true)
    }
}
