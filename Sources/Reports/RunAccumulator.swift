public import Checkers
import Evidence
public import Foundation

/// Adds up the trials of a run.
public struct RunAccumulator: Sendable {
    private var summary: RunSummary
    private var scenarios: [String: ScenarioSummary] = [:]
    private var findings = FindingSet()
    private var aside: [String: FindingSet] = [:]
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
    ///   - weight: what was done to it.
    ///   - finding: the finding that its scenario is for, if it is for one.
    public mutating func add(
        trial: Int, scenario: String, judgement: Judgement, seconds: Double, faultsFired: Int, ledger: String?,
        isKept: Bool = true, weight: TrialWeight = TrialWeight(), finding: String? = nil
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
        let shown = FindingSet.Shown(trial: trial, scenario: scenario, ledger: ledger, weight: weight)
        findings.add(judgement.violations, shown)
        for (why, set) in Dictionary(grouping: judgement.setAside ?? [], by: \.why) {
            aside[why, default: FindingSet()].add(set.map(\.violation), shown)
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
