import Checkers
import Evidence
public import Exploration
import Foundation
import Platform
public import Reports
public import Scenarios
import Trials

/// Runs a sweep: the reference trial, then one trial for each place and fault, and again for those that were not reached.
public struct SweepCampaign: Sendable {
    /// What is swept.
    public var sweep: Sweep
    /// What is done at each place.
    public var actions: [Fault.Action]
    /// How a place that was not reached is tried again, this often in all.
    public var attempts: Int
    /// Everything else about the trials; its scenarios are the sweep's.
    public var campaign: Campaign

    /// Makes a campaign.
    public init(sweep: Sweep, actions: [Fault.Action], attempts: Int, campaign: Campaign) {
        self.sweep = sweep
        self.actions = actions
        self.attempts = attempts
        self.campaign = campaign
    }

    /// How much of the window was seen, for one fault and one kind of role.
    public struct Coverage: Codable, Sendable, Equatable {
        /// The fault.
        public var fault: String
        /// The role, without indices.
        public var role: String
        /// Places that the reference trial showed, and at which the fault can be done.
        public var known: Int
        /// Places at which it was done.
        public var visited: Int
    }

    /// What came of a sweep.
    public struct Outcome: Sendable {
        /// The run in numbers and findings.
        public var summary: RunSummary
        /// How much of the window was seen.
        public var coverage: [Coverage]
        /// Places that no attempt reached.
        public var unreached: [Sweep.Place]
    }

    /// One trial of the sweep.
    private struct Visit {
        let place: Sweep.Place
        let action: Fault.Action
        let scenario: Scenario
    }

    /// Runs it. Trials whose ledgers the directory holds already, complete, are judged and not run again.
    /// - Throws: `CertificationError` when the reference trial does not hold: what it lists is then no clean run's.
    public func run(
        identity: TargetIdentity?, directory: RunDirectory, stop: StopSignal, progress: (Int, Int, RunSummary) -> Void
    ) async throws -> Outcome {
        let begin = ContinuousClock.now
        try keepSettings(identity, directory)
        guard let reference = try await referenceRecords(identity, directory, stop) else {
            return Outcome(summary: nothingYet(identity, begin), coverage: [], unreached: [])
        }
        let visits = visits(in: reference)
        guard !visits.isEmpty else {
            throw CertificationError(
                "sweep: nothing visible happens from the step '\(sweep.window)' on to which this can be done")
        }
        var campaign = campaign
        campaign.scenarios = visits.map(\.scenario)
        campaign.trials = visits.count
        var left = (1...visits.count).filter { !isDone(ledger($0, visits, directory)) }
        for attempt in 1...max(1, attempts) where !left.isEmpty && !stop.isSet {
            var round = campaign
            round.numbers = left
            if attempt > 1 {
                for number in left {
                    let visit = visits[number - 1]
                    guard let again = sweep.scenario(visit.action, at: visit.place, attempt: attempt) else { continue }
                    round.scenarios[number - 1] = again
                }
            }
            round.seed = campaign.seed &+ UInt64(attempt)
            let done = visits.count - left.count
            _ = await round.run(identity: identity, directory: directory, stop: stop) { _, summary in
                progress(done + summary.trials - summary.inconclusive, visits.count, summary)
            }
            left = left.filter { !isDone(ledger($0, visits, directory)) }
        }
        let (summary, unreached) = judge(
            visits, directory, identity, seconds: (ContinuousClock.now - begin) / .seconds(1), stop.isSet)
        return Outcome(
            summary: summary, coverage: coverage(visits, unreached: Set(unreached)),
            unreached: unreached.map { visits[$0 - 1].place })
    }

    /// What a stored sweep is of: only a sweep of the same can go on with it.
    private struct Settings: Codable, Equatable {
        var base: Scenario
        var window: String
        var roles: String?
        var actions: [Fault.Action]
        var tree: String?
        var spared: [RolePattern]?
    }

    private func keepSettings(_ identity: TargetIdentity?, _ directory: RunDirectory) throws {
        let own = Settings(
            base: sweep.base, window: sweep.window, roles: sweep.roles?.description, actions: actions,
            tree: identity?.treeHash, spared: sweep.sparing.roles.isEmpty ? nil : sweep.sparing.roles)
        let path = "\(directory.path)/settings.json"
        guard let data = FileManager.default.contents(atPath: path) else {
            try directory.write("settings.json", String(decoding: JSONEncoder().encode(own), as: UTF8.self))
            return
        }
        guard let stored = try? JSONDecoder().decode(Settings.self, from: data), stored == own else {
            throw CertificationError(
                "sweep: '\(directory.path)' is of another target, scenario, window or fault; go on with the same options, or begin anew without --resume"
            )
        }
    }

    /// What is to be said where not even the reference trial came to its end.
    private func nothingYet(_ identity: TargetIdentity?, _ begin: ContinuousClock.Instant) -> RunSummary {
        RunAccumulator(name: campaign.name, seed: campaign.seed, target: identity, startedAt: Date(), scenarios: [])
            .summary(seconds: (ContinuousClock.now - begin) / .seconds(1), interrupted: true)
    }

    /// The reference trial's records; nil when it was interrupted.
    private func referenceRecords(
        _ identity: TargetIdentity?, _ directory: RunDirectory, _ stop: StopSignal
    ) async throws -> [Record]? {
        let path = "\(directory.path)/reference.jsonl"
        if let stored = try? LedgerFile.read(path), case .end? = stored.last?.event { return stored }
        var first = campaign
        first.scenarios = [sweep.reference]
        first.trials = 1
        let summary = await first.run(identity: identity, directory: directory, stop: stop) { _, _ in }
        if stop.isSet { return nil }
        let made = "\(directory.path)/\(directory.ledgerName(trial: 1, scenario: sweep.reference.name))"
        guard summary.verdict == .held else {
            let why = summary.findings.map(\.message) + summary.problems.map(\.text)
            throw CertificationError(
                "sweep: without a fault the scenario is \(summary.verdict.rawValue): \(why.joined(separator: "; ")) (\(made))"
            )
        }
        do { try FileManager.default.moveItem(atPath: made, toPath: path) } catch {
            throw CertificationError(
                "sweep: keep the reference trial's ledger '\(path)': \(error.localizedDescription)")
        }
        return try LedgerFile.read(path)
    }

    private func visits(in reference: [Record]) -> [Visit] {
        let places = sweep.places(in: reference)
        return actions.flatMap { action in
            places.compactMap { place in
                sweep.scenario(action, at: place).map { Visit(place: place, action: action, scenario: $0) }
            }
        }
    }

    private func ledger(_ number: Int, _ visits: [Visit], _ directory: RunDirectory) -> String {
        "\(directory.path)/\(directory.ledgerName(trial: number, scenario: visits[number - 1].scenario.name))"
    }

    /// Whether a place needs no more trials: it was visited, or what it was not visited in is a finding that must be kept.
    private func isDone(_ path: String) -> Bool {
        guard let records = try? LedgerFile.read(path) else { return false }
        let judgement = Judge.judge(records)
        // What befell a trial from outside says nothing of its place.
        return judgement.verdict == .violated || isVisited(records) && judgement.isExcused != true
    }

    /// Whether a ledger is whole and its fault was injected.
    private func isVisited(_ records: [Record]) -> Bool {
        guard case .end(let end)? = records.last?.event, end.reason != .interrupted else { return false }
        return records.contains { record in
            guard case .fault(let injection) = record.event else { return false }
            return injection.fault == Sweep.fault && injection.failure == nil
        }
    }

    /// Judges every ledger, and says which places, by number, were not visited.
    private func judge(
        _ visits: [Visit], _ directory: RunDirectory, _ identity: TargetIdentity?, seconds: Double, _ interrupted: Bool
    ) -> (summary: RunSummary, unreached: [Int]) {
        var unreached: [Int] = []
        var sum = RunAccumulator(
            name: campaign.name, seed: campaign.seed, target: identity, startedAt: Date(), scenarios: [])
        for (index, visit) in visits.enumerated() {
            let path = ledger(index + 1, visits, directory)
            let records = try? LedgerFile.read(path)
            let isVisited = records.map(isVisited) ?? false
            if !isVisited { unreached.append(index + 1) }
            guard let records, records.last?.event != .end(End(reason: .interrupted)) else { continue }
            sum.add(
                trial: index + 1, scenario: visit.scenario.name, judgement: Judge.judge(records),
                seconds: Double(records.last?.time ?? 0) / 1e9, faultsFired: isVisited ? 1 : 0,
                ledger: directory.ledgerName(trial: index + 1, scenario: visit.scenario.name),
                weight: TrialWeight(records), finding: visit.scenario.finding)
        }
        var summary = sum.summary(seconds: seconds, interrupted: interrupted)
        if !unreached.isEmpty {
            summary.add(
                RunPart(
                    name: "window", verdict: .inconclusive,
                    text: "\(unreached.count) of \(visits.count) places were not visited"))
        }
        return (summary, unreached)
    }

    private func coverage(_ visits: [Visit], unreached: Set<Int>) -> [Coverage] {
        var found: [Coverage] = []
        for (index, visit) in visits.enumerated() {
            let fault = visit.action.kind
            let role = visit.place.role.general
            let place =
                found.firstIndex { $0.fault == fault && $0.role == role }
                ?? {
                    found.append(Coverage(fault: fault, role: role, known: 0, visited: 0))
                    return found.count - 1
                }()
            found[place].known += 1
            if !unreached.contains(index + 1) { found[place].visited += 1 }
        }
        return found
    }
}
