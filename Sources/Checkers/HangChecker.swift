import Evidence
import Scenarios

/// Every step must end within its deadline, and no trial may come to a standstill before it.
///
/// `deadlock` is said only of a proven standstill. What merely takes longer than it may has not ended, which says nothing of why; where it
/// was Fracas or its host that kept it from ending, nothing can be said at all.
public struct HangChecker: Checker {
    /// `hang`.
    public let name = "hang"

    /// Makes the checker.
    public init() {}

    /// A violation for a step that missed its deadline; what outlived the last step is the orphan checker's, and something that was to come
    /// and did not the liveness checker's.
    public func check(_ history: History) -> Findings {
        var findings = Findings()
        for record in history.observed {
            guard case .hang(let hang) = record.event, let step = hang.step else { continue }
            if hang.standstill == nil, hang.missing != nil { continue }
            if hang.standstill != nil, !Liveness.isAccusing(hang, history) { continue }
            let wait = Wait(hang, history)
            let roles = wait.roles.isEmpty ? "nobody" : wait.roles
            if let excuse = wait.excuse {
                let what = "the end of step '\(step)' did not come within \(wait.seconds) s"
                findings.problems.append("\(what), and nobody can be blamed: \(excuse)")
                continue
            }
            let (word, message) =
                if let threads = hang.standstill {
                    (
                        "deadlock",
                        "deadlock: after \(wait.seconds) s still waiting for \(hang.detail), which \(Hang.cannotCome(threads))"
                    )
                } else { ("not ended", "\(roles) did not end within \(wait.seconds) s") }
            findings.violations.append(
                Violation(
                    checker: name, signature: "\(word) in \(step) of \(roles)",
                    message: ([message + wait.births] + wait.doing).joined(separator: "; ")
                        + (hang.missing == nil ? "" : wait.lastLines),
                    records: [record.seq] + wait.records))
        }
        return findings
    }
}
