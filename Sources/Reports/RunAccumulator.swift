public import Checkers
import Evidence
public import Foundation

/// Adds up the trials of a run.
public struct RunAccumulator: Sendable {
    private var summary: RunSummary
    private var scenarios: [String: ScenarioSummary] = [:]
    private var findings: [String: Finding] = [:]
    private var problems: [String: Int] = [:]
    /// One whole text of each: what was printed last is no two trials' the same.
    private var problemTexts: [String: String] = [:]
    private var notChecked: [String: Int] = [:]
    private var notes: [String: Int] = [:]

    /// A run with no trials yet.
    public init(
        name: String, seed: UInt64, target: TargetIdentity?, startedAt: Date, scenarios: [String],
        kind: RunSummary.Kind? = nil
    ) {
        summary = RunSummary(
            verdict: .inconclusive, trials: 0, held: 0, violated: 0, inconclusive: 0, seconds: 0, seed: seed,
            target: target, findings: [], bound: nil, name: name,
            startedAt: startedAt.formatted(.iso8601), scenarios: [], notChecked: [], notes: [], problems: [],
            interrupted: false, kind: kind)
        for name in scenarios { self.scenarios[name] = ScenarioSummary(name: name) }
    }

    /// Adds one trial.
    /// - Parameters:
    ///   - ledger: where its ledger is, relative to the run's directory.
    ///   - isKept: whether it stays there.
    public mutating func add(
        trial: Int, scenario: String, judgement: Judgement, seconds: Double, faultsFired: Int, ledger: String?,
        isKept: Bool = true
    ) {
        summary.trials += 1
        var entry = scenarios[scenario] ?? ScenarioSummary(name: scenario)
        entry.trials += 1
        entry.seconds += seconds
        entry.faultsFired += faultsFired
        switch judgement.verdict {
        case .held:
            summary.held += 1
            entry.held += 1
            if !isKept { entry.discarded = (entry.discarded ?? 0) + 1 }
        case .violated:
            summary.violated += 1
            entry.violated += 1
        case .inconclusive:
            summary.inconclusive += 1
            entry.inconclusive += 1
            if judgement.isMissed == true {
                summary.missed = (summary.missed ?? 0) + 1
                entry.missed = (entry.missed ?? 0) + 1
            }
        }
        scenarios[scenario] = entry
        var seen: Set<String> = []
        for violation in judgement.violations where seen.insert(violation.signature).inserted {
            add(violation, trial, scenario, ledger)
        }
        for problem in Set(judgement.problems) {
            let key = "\(scenario): \(LastLines.removed(from: problem))"
            problems[key, default: 0] += 1
            problemTexts[key] = problemTexts[key] ?? "\(scenario): \(problem)"
        }
        for item in judgement.notChecked {
            notChecked["\(item.checker): \(item.reason)", default: 0] += 1
            if item.wasAsked { notes["\(item.checker): \(item.reason)", default: 0] += 1 }
        }
    }

    /// Adds trials that held and have left no ledger.
    public mutating func addDiscarded(_ count: Int, scenario: String) {
        guard count > 0 else { return }
        var entry = scenarios[scenario] ?? ScenarioSummary(name: scenario)
        entry.trials += count
        entry.held += count
        entry.discarded = (entry.discarded ?? 0) + count
        scenarios[scenario] = entry
        summary.trials += count
        summary.held += count
    }

    /// Adds a trial of which no more is known than that its ledger cannot be judged.
    public mutating func addUnread(_ reason: String) {
        summary.trials += 1
        summary.inconclusive += 1
        problems[reason, default: 0] += 1
    }

    private mutating func add(_ violation: Violation, _ trial: Int, _ scenario: String, _ ledger: String?) {
        var finding =
            findings[violation.signature]
            ?? Finding(
                signature: violation.signature, checker: violation.checker, message: violation.message, count: 0,
                firstTrial: trial, scenarios: [], ledger: ledger, records: violation.records)
        // Trials end in any order; the first one is the one with the least number.
        if trial < finding.firstTrial {
            finding.firstTrial = trial
            finding.message = violation.message
            finding.ledger = ledger
            finding.records = violation.records
        }
        finding.count += 1
        if !finding.scenarios.contains(scenario) { finding.scenarios.append(scenario) }
        findings[violation.signature] = finding
    }

    /// The summary so far.
    public func summary(seconds: Double, interrupted: Bool = false) -> RunSummary {
        var result = summary
        result.seconds = (seconds * 1000).rounded() / 1000
        result.interrupted = interrupted
        result.findings = findings.values.sorted { ($1.count, $0.signature) < ($0.count, $1.signature) }
        result.scenarios = scenarios.values.sorted { $0.name < $1.name }
        result.problems = Self.remarks(problems).map { Remark(text: problemTexts[$0.text] ?? $0.text, count: $0.count) }
        result.notChecked = Self.remarks(notChecked)
        result.notes = Self.remarks(notes)
        result.bound = Statistics.upperBound(failures: result.violated, trials: result.held + result.violated)
        result.decide()
        return result
    }

    private static func remarks(_ counts: [String: Int]) -> [Remark] {
        counts.map { Remark(text: $0.key, count: $0.value) }.sorted { ($1.count, $0.text) < ($0.count, $1.text) }
    }
}

/// What a number of trials says about a rate.
public enum Statistics {
    /// The exact one-sided upper confidence bound of Clopper and Pearson ("The use of confidence or fiducial limits
    /// illustrated in the case of the binomial", Biometrika 1934) on the rate of failures: 299 trials without one give
    /// less than 1 % at 95 %.
    /// - Returns: nil when there were no trials.
    public static func upperBound(failures: Int, trials: Int, confidence: Double = 0.95) -> Double? {
        guard trials > 0 else { return nil }
        guard failures < trials else { return 1 }
        var low = 0.0
        var high = 1.0
        // The rate at which so few failures would be seen with probability 1 - confidence; 60 halvings are exact.
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if cumulative(failures, trials, middle) > 1 - confidence { low = middle } else { high = middle }
        }
        return high
    }

    /// The probability of at most `failures` in `trials`.
    private static func cumulative(_ failures: Int, _ trials: Int, _ rate: Double) -> Double {
        guard rate > 0, rate < 1 else { return rate <= 0 ? 1 : 0 }
        return (0...failures).reduce(0) { sum, k in
            let choose = lgamma(Double(trials + 1)) - lgamma(Double(k + 1)) - lgamma(Double(trials - k + 1))
            return sum + exp(choose + Double(k) * log(rate) + Double(trials - k) * log1p(-rate))
        }
    }
}
