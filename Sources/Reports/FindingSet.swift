import Checkers

/// The distinct failures of a run, with what is known of each.
struct FindingSet: Sendable {
    /// The trial that showed something.
    struct Shown {
        let trial: Int
        let scenario: String
        let ledger: String?
        let weight: TrialWeight
    }

    fileprivate struct Entry {
        var finding: Finding
        var weight: TrialWeight
        var causes: [String: Int] = [:]
        /// How often each other finding stood above it in its trials.
        var above: [String: Int] = [:]
    }

    private var entries: [String: Entry] = [:]

    /// In which order the findings of one trial explain each other: who hangs is then ended, and leaves things behind.
    private static let order = [
        "hang", "liveness", "forbidden-text", "raise", "phase", "delivery", "exit", "orphan", "leak",
    ]

    private static func rank(_ violation: Violation) -> Int { order.firstIndex(of: violation.checker) ?? 6 }

    /// Adds what one trial showed.
    mutating func add(_ violations: [Violation], _ shown: Shown) {
        let primary = violations.min { Self.rank($0) < Self.rank($1) }?.signature
        var seen: Set<String> = []
        for violation in violations where seen.insert(violation.signature).inserted {
            var entry =
                entries[violation.signature]
                ?? Entry(
                    finding: Finding(
                        signature: violation.signature, checker: violation.checker, message: violation.message,
                        count: 0, firstTrial: shown.trial, scenarios: [], ledger: shown.ledger,
                        records: violation.records, simplestTrial: shown.trial),
                    weight: shown.weight)
            entry.take(violation, shown)
            if let primary, primary != violation.signature { entry.above[primary, default: 0] += 1 }
            entries[violation.signature] = entry
        }
    }

    /// All of them, the most frequent first, each followed by its symptoms.
    var all: [Finding] {
        let sorted = entries.values.map { entry in
            var finding = entry.finding
            finding.symptomOf = entry.above.first { $0.value == finding.count }?.key
            finding.causes = entry.causes.map { Remark(text: $0.key, count: $0.value) }
                .sorted { ($1.count, $0.text) < ($0.count, $1.text) }
            return finding
        }
        .sorted { ($1.count, $0.signature) < ($0.count, $1.signature) }
        // What is a symptom of a symptom would be lost: a primary finding is nobody's symptom in its own trials.
        let top = sorted.filter { $0.symptomOf == nil }
        return top.flatMap { finding in [finding] + sorted.filter { $0.symptomOf == finding.signature } }
            + sorted.filter { symptom in
                symptom.symptomOf.map { above in !top.contains { $0.signature == above } } ?? false
            }
    }
}

extension FindingSet.Entry {
    fileprivate mutating func take(_ violation: Violation, _ shown: FindingSet.Shown) {
        // Trials end in any order; the first one is the one with the least number.
        finding.firstTrial = min(finding.firstTrial, shown.trial)
        let isLighter = shown.weight < weight
        let isAsLight = !isLighter && !(weight < shown.weight)
        if isLighter || isAsLight && shown.trial < (finding.simplestTrial ?? .max) {
            weight = shown.weight
            finding.simplestTrial = shown.trial
            finding.message = violation.message
            finding.ledger = shown.ledger
            finding.records = violation.records
        }
        finding.count += 1
        causes[shown.weight.cause, default: 0] += 1
        if !finding.scenarios.contains(shown.scenario) { finding.scenarios.append(shown.scenario) }
    }
}
