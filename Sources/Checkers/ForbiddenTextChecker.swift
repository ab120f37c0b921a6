import Evidence
import Scenarios

/// No process may print a forbidden text.
public struct ForbiddenTextChecker: Checker {
    /// `forbidden-text`.
    public let name = "forbidden-text"

    /// Makes the checker.
    public init() {}

    /// One violation per forbidden text, at its first line.
    public func check(_ history: History) -> Findings {
        let forbidden = history.expect.forbidden
        guard !forbidden.isEmpty else { return .notChecked("the scenario forbids no text") }
        var findings = Findings()
        for text in forbidden {
            guard let pattern = try? Regex(text.pattern) else {
                findings.problems.append("the forbidden text '\(text.name)' is not a regular expression")
                continue
            }
            let hits = history.lines.filter { seq, line in
                line.text.firstMatch(of: pattern) != nil
                    && !history.killedRules(at: seq).contains { $0.forbidden?.contains(text.name) == true }
            }
            guard let first = hits.first else { continue }
            findings.violations.append(
                Violation(
                    checker: name, signature: text.name,
                    message: "\(History.name(first.line.subject)) printed: \(first.line.text)",
                    records: hits.prefix(10).map(\.seq), role: first.line.subject.role?.description))
        }
        return findings
    }
}
