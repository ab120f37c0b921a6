import Evidence
import Scenarios

/// Phases must come in their order, none twice, none left out.
public struct PhaseChecker: Checker {
    /// `phase`.
    public let name = "phase"

    /// Makes the checker.
    public init() {}

    /// One violation per subject whose phases were out of order.
    public func check(_ history: History) -> Findings {
        guard let rule = history.expect.phases else {
            return .notChecked("the scenario names no phases")
        }
        guard let pattern = try? Regex(rule.pattern) else {
            var findings = Findings()
            findings.problems = ["the phase pattern is not a regular expression"]
            return findings
        }
        var sequences: [String: [(seq: Int, phase: String)]] = [:]
        for (seq, line) in history.lines {
            guard let match = line.text.firstMatch(of: pattern), let subject = match["subject"]?.substring,
                let phase = match["phase"]?.substring
            else { continue }
            // The same subject name in two processes means two subjects.
            sequences["\(line.subject.pid) \(subject)", default: []].append((seq, String(phase)))
        }
        guard !sequences.isEmpty else { return .couldNotCheck("no process printed a phase") }
        var findings = Findings()
        for (_, phases) in sequences.sorted(by: { $0.key < $1.key }) {
            guard let wrong = firstWrong(phases.map(\.phase), rule) else { continue }
            let order = phases.map(\.phase).joined(separator: " → ")
            findings.violations.append(
                Violation(
                    checker: name, signature: "phase \(phases[wrong].phase) out of order",
                    message: "phases came as \(order), not as \(rule.order.joined(separator: " → "))",
                    records: phases.map(\.seq)))
        }
        return findings
    }

    private func firstWrong(_ phases: [String], _ rule: Expectations.PhaseOrder) -> Int? {
        var next = 0
        for (index, phase) in phases.enumerated() {
            if rule.final.contains(phase) { return index == phases.count - 1 ? nil : index + 1 }
            guard next < rule.order.count, rule.order[next] == phase else { return index }
            next += 1
        }
        return nil
    }
}
