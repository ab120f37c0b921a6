import Checkers
import Foundation
import Glibc
import Reports

/// What goes to the terminal. With `--format json` standard output carries one JSON object and nothing else.
enum Output {
    /// Writes a line to standard error.
    static func complain(_ text: String) { try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8)) }

    /// Writes a line to standard output at once. Nobody may be reading any more, which is no reason to break off what is told.
    static func say(_ text: String) { try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8)) }

    /// The summary as JSON.
    static func json(_ summary: RunSummary) throws -> String { try encoded(summary) }

    /// A value as JSON.
    static func encoded(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// A value as JSON on one line, for what comes one after another.
    static func line(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// The summary for people.
    static func text(_ summary: RunSummary, directory: String?) -> String {
        var lines = ["", "\(summary.verdict.rawValue): \(counts(summary))"]
        if let bound = summary.bound {
            lines.append("failure rate below \(percent(bound)) (95 % confidence); seed \(summary.seed)")
        }
        lines += about(summary.scenarios)
        lines += summary.findings.flatMap { text($0, directory) }
        lines += setAside(summary.setAside ?? [])
        if !summary.problems.isEmpty {
            lines += ["", "inconclusive:"]
            for problem in summary.problems.prefix(12) {
                lines.append("  \(problem.count) × \(Terminal.escape(String(problem.text.prefix(300))))")
            }
        }
        if !summary.notes.isEmpty {
            lines += ["", "could not be checked:"]
            for note in summary.notes.prefix(12) {
                lines.append("  \(note.count) × \(Terminal.escape(String(note.text.prefix(300))))")
            }
        }
        if let directory { lines += ["", "report: \(directory)/report.html"] }
        return lines.joined(separator: "\n")
    }

    /// What came of the findings that scenarios are for.
    private static func about(_ scenarios: [ScenarioSummary]) -> [String] {
        scenarios.compactMap { scenario in
            guard let finding = scenario.finding else { return nil }
            let came = scenario.violated > 0 ? "came in \(scenario.violated), " : ""
            let unknown = scenario.inconclusive > 0 ? ", not known in \(scenario.inconclusive)" : ""
            return Terminal.escape(
                "'\(finding)': \(came)gone in \(scenario.held) of \(scenario.trials) trials\(unknown) [\(scenario.name)]"
            )
        }
    }

    private static func text(_ finding: Finding, _ directory: String?) -> [String] {
        if finding.symptomOf != nil {
            return ["    with it: \(Terminal.escape(finding.signature))  [\(finding.checker), \(finding.count) trials]"]
        }
        let simplest = finding.simplestTrial ?? finding.firstTrial
        let which = simplest == finding.firstTrial ? "" : ", simplest \(simplest)"
        var lines = [
            "",
            "  \(Terminal.escape(finding.signature))  [\(finding.checker), \(finding.count) trials, first \(finding.firstTrial)\(which)]",
            "    \(Terminal.escape(String(finding.message.prefix(600))))",
        ]
        let causes = (finding.causes ?? []).prefix(6).map { "\($0.count) × \($0.text)" }
        if !causes.isEmpty { lines.append("    after: \(Terminal.escape(causes.joined(separator: "; ")))") }
        if let ledger = finding.ledger, let directory {
            let records = finding.records.prefix(8).map(String.init).joined(separator: ", ")
            lines.append("    \(directory)/\(ledger): records \(records)")
        }
        return lines
    }

    /// What did not hold and does not count, by why it does not.
    private static func setAside(_ findings: [Finding]) -> [String] {
        guard !findings.isEmpty else { return [] }
        let lines = findings.prefix(24).map { finding in
            Terminal.escape("  \(finding.count) × \(finding.signature): \(finding.why ?? "known")")
        }
        return ["", "set aside, which makes no trial violated:"] + lines
    }

    static func counts(_ summary: RunSummary) -> String {
        let rate = summary.seconds > 0 ? Double(summary.trials) / summary.seconds : 0
        return "\(summary.trials) trials, \(summary.held) held, \(summary.violated) violated, "
            + "\(summary.inconclusive) inconclusive in \(format(summary.seconds)) s (\(format(rate)) a second)"
    }

    static func percent(_ rate: Double) -> String { "\((rate * 10000).rounded() / 100) %" }

    static func format(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}

/// Progress on long work: one line that renews itself on a terminal, plain lines otherwise.
struct Progress {
    private let isTerminal = isatty(2) == 1
    private let total: Int
    private let quiet: Bool
    private var nextPlain = 0

    init(total: Int, quiet: Bool) {
        self.total = total
        self.quiet = quiet
    }

    mutating func show(_ summary: RunSummary) { show(done: summary.trials, of: total, summary) }

    /// Likewise where not every trial is a step forward.
    mutating func show(done: Int, of total: Int, _ summary: RunSummary) {
        guard !quiet else { return }
        let left = done > 0 ? summary.seconds / Double(done) * Double(total - done) : 0
        let text =
            "\(done)/\(total) trials, \(summary.violated) violated, \(summary.inconclusive) inconclusive, "
            + "about \(Int(left.rounded())) s left"
        if isTerminal {
            FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
            if done == total { FileHandle.standardError.write(Data("\n".utf8)) }
        } else if done >= nextPlain || done == total {
            Output.complain(text)
            nextPlain = done + max(1, total / 10)
        }
    }
}
