public import Checkers
public import Foundation

/// Adds up the trials of a run.
public struct RunAccumulator: Sendable {
    private var summary: RunSummary
    private var scenarios: [String: ScenarioSummary] = [:]
    private var findings = FindingSet()
    private var aside: [String: FindingSet] = [:]
    private var problems: [String: Int] = [:]
    private var notChecked: [String: Int] = [:]
    private var notes: [String: Int] = [:]

    /// A run with no trials yet.
    public init(name: String, seed: UInt64, target: TargetIdentity?, startedAt: Date, scenarios: [String]) {
        summary = RunSummary(
            verdict: .inconclusive, trials: 0, held: 0, violated: 0, inconclusive: 0, seconds: 0, seed: seed,
            target: target, findings: [], bound: nil, name: name,
            startedAt: startedAt.formatted(.iso8601), scenarios: [], notChecked: [], notes: [], problems: [],
            interrupted: false)
        for name in scenarios { self.scenarios[name] = ScenarioSummary(name: name) }
    }

    /// Adds one trial.
    /// - Parameters:
    ///   - ledger: where its ledger is, relative to the run's directory.
    ///   - weight: what was done to it.
    ///   - finding: the finding that its scenario is for, if it is for one.
    public mutating func add(
        trial: Int, scenario: String, judgement: Judgement, seconds: Double, faultsFired: Int, ledger: String?,
        weight: TrialWeight = TrialWeight(), finding: String? = nil
    ) {
        summary.trials += 1
        var entry = scenarios[scenario] ?? ScenarioSummary(name: scenario)
        entry.trials += 1
        entry.seconds += seconds
        entry.faultsFired += faultsFired
        entry.finding = finding ?? entry.finding
        switch judgement.verdict {
        case .held:
            summary.held += 1
            entry.held += 1
        case .violated:
            summary.violated += 1
            entry.violated += 1
        case .inconclusive:
            summary.inconclusive += 1
            entry.inconclusive += 1
        }
        scenarios[scenario] = entry
        let shown = FindingSet.Shown(trial: trial, scenario: scenario, ledger: ledger, weight: weight)
        findings.add(judgement.violations, shown)
        for (why, set) in Dictionary(grouping: judgement.setAside ?? [], by: \.why) {
            aside[why, default: FindingSet()].add(set.map(\.violation), shown)
        }
        for problem in Set(judgement.problems) { problems["\(scenario): \(problem)", default: 0] += 1 }
        for item in judgement.notChecked {
            notChecked["\(item.checker): \(item.reason)", default: 0] += 1
            if item.wasAsked { notes["\(item.checker): \(item.reason)", default: 0] += 1 }
        }
    }

    /// The summary so far.
    public func summary(seconds: Double, interrupted: Bool = false) -> RunSummary {
        var result = summary
        result.seconds = (seconds * 1000).rounded() / 1000
        result.interrupted = interrupted
        result.findings = findings.all
        let aside = self.aside.sorted { $0.key < $1.key }.flatMap { why, set in
            set.all.map { finding in
                var finding = finding
                finding.why = why
                return finding
            }
        }
        result.setAside = aside.isEmpty ? nil : aside
        result.scenarios = scenarios.values.sorted { $0.name < $1.name }
        result.problems = Self.remarks(problems)
        result.notChecked = Self.remarks(notChecked)
        result.notes = Self.remarks(notes)
        result.bound = Statistics.upperBound(failures: result.violated, trials: result.held + result.violated)
        if result.violated > 0 {
            result.verdict = .violated
        } else if result.inconclusive > 0 || result.trials == 0 || interrupted {
            result.verdict = .inconclusive
        } else {
            result.verdict = .held
        }
        return result
    }

    private static func remarks(_ counts: [String: Int]) -> [Remark] {
        counts.map { Remark(text: $0.key, count: $0.value) }.sorted { ($1.count, $0.text) < ($0.count, $1.text) }
    }
}
