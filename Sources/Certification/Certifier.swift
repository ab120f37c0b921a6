import Checkers
public import Exploration
import Foundation
import Platform
public import Reports
public import Scenarios

/// Certifies a tree: runs the suite, explores, and does both with each control until it is caught.
public struct Certifier: Sendable {
    /// The suite's trials of the tree.
    public var suite: Campaign
    /// The scenarios an exploration starts from; none for no exploration.
    public var bases: [Scenario]
    /// At most how many trials of an exploration.
    public var explorationTrials: Int
    /// The tree with each control.
    public var controls: [TargetTree]
    /// What the explorations leave alone.
    public var sparing: Sparing

    /// Makes one.
    public init(
        suite: Campaign, bases: [Scenario], explorationTrials: Int, controls: [TargetTree],
        sparing: Sparing = Sparing()
    ) {
        self.sparing = sparing
        self.suite = suite
        self.bases = bases
        self.explorationTrials = explorationTrials
        self.controls = controls
    }

    /// What is under way.
    public enum Progress: Sendable {
        /// The suite, with the tree.
        case suite(RunSummary)
        /// The exploration, with the tree.
        case exploration(RunSummary)
        /// A control is done.
        case control(ControlResult, number: Int, of: Int)
    }

    /// Runs it.
    /// - Throws: `ExplorationError` when a base scenario has no shutdown; `ReportError` when a directory cannot be made.
    public func run(
        identity: TargetIdentity?, directory: RunDirectory, stop: StopSignal, progress: (Progress) -> Void
    ) async throws -> Certificate {
        // What is wrong with the scenarios is better known before hundreds of trials than after.
        if !bases.isEmpty { _ = try explorer(suite.seed) }
        var summary = await suite.run(identity: identity, directory: directory, stop: stop) { progress(.suite($1)) }
        var explored: ExploreCampaign.Outcome?
        // What the suite breaks already needs no more looking into.
        if summary.verdict != .violated, !bases.isEmpty, explorationTrials > 0, !stop.isSet {
            let place = try directory.below("explore")
            let outcome = try await explore(suite, endsAtViolation: false, identity, place, stop) {
                progress(.exploration($0))
            }
            // What cannot be written is said in the end: that the certificate cannot be either.
            try? ReportWriter.write(outcome.summary, to: place)
            explored = outcome
        }
        var results: [ControlResult] = []
        for (index, tree) in controls.enumerated() where !stop.isSet {
            let result = try await check(tree, directory.below("controls/\(tree.control?.name ?? "")"), stop)
            guard !stop.isSet else { break }
            results.append(result)
            progress(.control(result, number: index + 1, of: controls.count))
        }
        let isCut = stop.isSet
        summary.interrupted = isCut
        summary.decide()
        if let part = explored.flatMap({ Certificate.part(of: $0.summary) }) { summary.add(part) }
        let verdict = summary.verdict
        let missed = results.filter { $0.finding == nil }.map(\.name)
        if !missed.isEmpty {
            summary.add(
                RunPart(
                    name: "controls", verdict: .inconclusive,
                    text: "the suite misses known races: \(missed.joined(separator: ", "))"))
        }
        return Certificate(
            verdict: verdict, counts: controls.isEmpty || isCut ? nil : missed.isEmpty, suite: summary,
            exploration: explored?.summary, coverage: explored?.coverage ?? [], unexplored: explored?.broken ?? [],
            interrupted: isCut, controls: results)
    }

    /// One control: each scenario of the suite once, then an exploration, until something shows it.
    private func check(_ tree: TargetTree, _ directory: RunDirectory, _ stop: StopSignal) async throws -> ControlResult
    {
        let identity = try tree.identity()
        var campaign = suite
        campaign.target = tree
        campaign.trials = campaign.scenarios.count
        campaign.stopsAtViolation = true
        campaign.keepsOnlyWhatTells = true
        let summary = await campaign.run(identity: identity, directory: directory, stop: stop) { _, _ in }
        try? ReportWriter.write(summary, to: directory)
        var result = ControlResult(
            name: tree.control?.name ?? "", finding: nil, bySuite: true, scenario: nil, trials: summary.trials,
            seconds: summary.seconds)
        result.take(summary)
        guard result.finding == nil, !bases.isEmpty, !stop.isSet else { return result }
        let place = try directory.below("explore")
        let outcome = try await explore(campaign, endsAtViolation: true, identity, place, stop) { _ in }
        try? ReportWriter.write(outcome.summary, to: place)
        result.bySuite = false
        result.trials += outcome.summary.trials
        result.seconds += outcome.summary.seconds
        result.take(outcome.summary)
        return result
    }

    private func explorer(_ seed: UInt64) throws(ExplorationError) -> Explorer {
        try Explorer(bases, window: Explorer.usualWindow, strategy: .guided, seed: seed, sparing: sparing)
    }

    private func explore(
        _ base: Campaign, endsAtViolation: Bool, _ identity: TargetIdentity?, _ directory: RunDirectory,
        _ stop: StopSignal, progress: (RunSummary) -> Void
    ) async throws -> ExploreCampaign.Outcome {
        var campaign = base
        campaign.scenarios = []
        campaign.keepsOnlyWhatTells = true
        let runner = ExploreCampaign(
            try explorer(base.seed), budget: .init(trials: explorationTrials, endsAtViolation: endsAtViolation),
            campaign: campaign)
        return try await runner.run(identity: identity, directory: directory, stop: stop) { progress($1) }
    }
}

extension ControlResult {
    /// Takes over the first finding of a run, if it has one.
    fileprivate mutating func take(_ summary: RunSummary) {
        guard let first = summary.findings.min(by: { $0.firstTrial < $1.firstTrial }) else { return }
        finding = first.signature
        scenario = first.scenarios.first
    }
}
