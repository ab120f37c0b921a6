import Evidence
import Scenarios

/// No process may outlive its topology, and where the scenario asks for it every parent must wait for its children.
public struct OrphanChecker: Checker {
    /// `orphan`.
    public let name = "orphan"

    /// Makes the checker.
    public init() {}

    /// Violations for processes left alive at the end, and for children that ended and that their parents never waited for.
    public func check(_ history: History) -> Findings {
        let orphans = !history.expect.orphansAllowed
        // A dead child is left to init with its parent's end, as every system has it: a defect only where somebody says so.
        let zombies = history.expect.zombiesForbidden ?? false
        guard orphans || zombies else { return .notChecked("the scenario allows orphans") }
        var findings = Findings()
        var sawCensus = false
        for record in history.observed {
            switch record.event {
            case .census(let census):
                sawCensus = true
                // What is alive in the middle of a trial outlives nothing.
                guard history.wentThroughItsSteps else { continue }
                if orphans, let excuse = Self.excuse(history), !census.alive.isEmpty {
                    findings.problems.append("processes outlived the last step, and nobody can be blamed: \(excuse)")
                    continue
                }
                for subject in census.alive where orphans && !history.mayOutlive(subject) {
                    let orphan = violation(subject, "orphan", "was still alive at the end", record.seq)
                    if history.expect.orphansMustNotice != true, history.isBelowKilled(subject) {
                        findings.consequences.append(orphan)
                    } else {
                        findings.violations.append(orphan)
                    }
                }
                for subject in census.zombies where zombies {
                    findings.violations.append(violation(subject, "zombie", "was never waited for", record.seq))
                }
            case .holdings(let holdings):
                for subject in holdings.zombies where zombies {
                    let parent = History.name(holdings.subject)
                    findings.violations.append(
                        violation(subject, "zombie", "was not waited for by \(parent)", record.seq))
                }
            default: break
            }
        }
        if !sawCensus { return .notChecked("the trial did not come to its census") }
        return findings
    }

    /// Why what was still there at the end cannot be blamed for it; nil when it can.
    private static func excuse(_ history: History) -> String? {
        for case .hang(let hang) in history.observed.map(\.event) where hang.step == nil {
            return Wait(hang, history).excuse
        }
        return nil
    }

    private func violation(_ subject: Subject, _ kind: String, _ what: String, _ seq: Int) -> Violation {
        Violation(
            checker: name, signature: "\(kind) of \(History.general(subject.role))",
            message: "\(History.name(subject)) \(what)", records: [seq], role: subject.role?.description)
    }
}
