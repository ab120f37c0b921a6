import Certification
import Exploration
import Reports

/// What `fracas explore` tells in the end.
struct ExploreReport: Encodable {
    /// The run in numbers and findings.
    var summary: RunSummary
    /// Nil when there was no violation.
    var first: ExploreCampaign.First?
    /// What the trial that showed each finding first had tried, by signature.
    var foundBy: [String: String]
    /// What is known of each kind of thing, and what of it was tried.
    var coverage: [ExplorationCoverage.Part]
    /// What would be tried next.
    var next: [String]
    /// Scenarios from which nothing could be explored.
    var broken: [String]

    init(_ outcome: ExploreCampaign.Outcome) {
        summary = outcome.summary
        first = outcome.first
        foundBy = outcome.causes
        coverage = outcome.coverage
        next = outcome.upcoming
        broken = outcome.broken
    }

    /// For people.
    func text(from window: String, directory: String?) -> String {
        var lines = [Output.text(summary, directory: directory)]
        if let first {
            lines += [
                "",
                "the first violation came after \(first.trials) trials, \(Output.format(first.seconds)) s; found by",
            ]
            lines += foundBy.sorted { $0.key < $1.key }.map { "  \($0.key): \(Terminal.escape($0.value))" }
        }
        lines += ["", "coverage, from the step '\(window)' on:"]
        lines += coverage.map { part in
            let places = part.known > 0 ? "\(part.tried) of \(part.known) places" : "\(part.tried) trials"
            let kinds = part.kindsKnown > 0 ? ", \(part.kindsTried) of \(part.kindsKnown) kinds of place" : ""
            let missed = part.notReached > 0 ? ", \(part.notReached) not reached or not possible" : ""
            return "  \(part.kind.rawValue): \(places)\(kinds)\(missed)"
        }
        if !next.isEmpty { lines += ["", "next would be"] + next.map { "  \(Terminal.escape($0))" } }
        return lines.joined(separator: "\n")
    }
}
