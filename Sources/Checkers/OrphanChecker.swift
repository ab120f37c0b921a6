import Evidence
import Scenarios

/// No process may outlive its topology, and every parent must wait for its children.
public struct OrphanChecker: Checker {
    /// `orphan`.
    public let name = "orphan"

    /// Makes the checker.
    public init() {}

    /// Violations for processes left alive, and for zombies, at the end or at their parent's exit.
    public func check(_ history: History) -> Findings {
        guard !history.expect.orphansAllowed else { return .notChecked("the scenario allows orphans") }
        var findings = Findings()
        var sawCensus = false
        for record in history.observed {
            switch record.event {
            case .census(let census):
                sawCensus = true
                // What is alive in the middle of a trial outlives nothing.
                guard history.wentThroughItsSteps else { continue }
                for subject in census.alive where !history.mayOutlive(subject) {
                    let orphan = violation(subject, "orphan", "was still alive at the end", record.seq)
                    if history.expect.orphansMustNotice != true, history.isBelowKilled(subject) {
                        findings.consequences.append(orphan)
                    } else {
                        findings.violations.append(orphan)
                    }
                }
                findings.violations += census.zombies.map {
                    violation($0, "zombie", "was never waited for", record.seq)
                }
            case .holdings(let holdings):
                findings.violations += holdings.zombies.map {
                    violation($0, "zombie", "was not waited for by \(History.name(holdings.subject))", record.seq)
                }
            default: break
            }
        }
        if !sawCensus { return .notChecked("the trial did not come to its census") }
        return findings
    }

    private func violation(_ subject: Subject, _ kind: String, _ what: String, _ seq: Int) -> Violation {
        Violation(
            checker: name, signature: "\(kind) of \(History.general(subject.role))",
            message: "\(History.name(subject)) \(what)", records: [seq], role: subject.role?.description)
    }
}
