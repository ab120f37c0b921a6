public import Checkers
import Evidence
public import Exploration
import Foundation
import Glibc
import Platform
public import Reports
import Scenarios
import Synchronization
import Trials

/// Runs an exploration: asks what to try next, tries it, tells what came of it, until its budget is spent.
public struct ExploreCampaign: Sendable {
    /// How much may be spent; whatever ends first.
    public struct Budget: Sendable {
        /// The longest it may take; nil for no bound.
        public var time: Duration?
        /// The most trials; nil for no bound.
        public var trials: Int?
        /// Whether the first violation ends it.
        public var endsAtViolation: Bool

        /// Makes a budget.
        public init(time: Duration? = nil, trials: Int? = nil, endsAtViolation: Bool = false) {
            self.time = time
            self.trials = trials
            self.endsAtViolation = endsAtViolation
        }
    }

    /// What came of an exploration.
    public struct Outcome: Sendable {
        /// The run in numbers and findings.
        public var summary: RunSummary
        /// What is known, and what of it was tried.
        public var coverage: [ExplorationCoverage.Part]
        /// What would be tried next.
        public var upcoming: [String]
        /// The first violation; nil when there was none.
        public var first: First?
        /// Base scenarios that could not be judged even without a fault.
        public var broken: [String]
        /// What the trials of each distinct failure had tried, by signature.
        public var causes: [String: String]
        /// Every trial, in the order in which they ended.
        public var tried: [Tried]
    }

    /// When the first violation came.
    public struct First: Encodable, Sendable {
        /// How many trials were over by then.
        public var trials: Int
        /// How many seconds after the beginning that was.
        public var seconds: Double
    }

    /// What one trial tried, and what came of it.
    public struct Tried: Codable, Sendable {
        /// Its number.
        public var trial: Int
        /// What it did, and in which scenario.
        public var what: String
        /// What came of it.
        public var verdict: Verdict
        /// The name of its scenario.
        public var scenario: String?
        /// When it ended, in seconds since the exploration began.
        public var seconds: Double?
        /// What it did of what it was for, in the explorer's words.
        public var done: [String]?
    }

    /// What an exploration is of: only one of the same can go on with it.
    private struct Settings: Codable, Equatable {
        var bases: [Scenario]
        var window: String
        var strategy: Explorer.Strategy
        var tree: String?
    }

    /// How many trials side by side suit an exploration, for each core: most of the time they wait for something late and leave the
    /// processor to others, warm ones all the more.
    public static func jobsPerCore(isWarm: Bool) -> Int { isWarm ? 8 : 2 }

    private let explorer: Explorer
    private let budget: Budget
    private let campaign: Campaign

    /// Makes one.
    /// - Parameter campaign: everything about the trials but their scenarios.
    public init(_ explorer: Explorer, budget: Budget, campaign: Campaign) {
        self.explorer = explorer
        self.budget = budget
        self.campaign = campaign
    }

    /// Runs it. What the directory holds of an earlier part is gone on with: it counts, and is not tried again before the rest was.
    /// - Throws: `CertificationError` when what the directory holds is of something else; `ReportError` when it cannot be written to.
    public func run(
        identity: TargetIdentity?, directory: RunDirectory?, stop: StopSignal, progress: (Int, RunSummary) -> Void
    ) async throws -> Outcome {
        var (campaign, explorer, budget) = (campaign, explorer, budget)
        campaign.kind = .explore
        var tried: [Tried] = []
        if let directory {
            if try hasBegun(identity, directory) {
                tried = TriedJournal.read(directory.path)
                try goOn(after: tried, directory, &campaign, &explorer, &budget)
            }
        }
        let source = ExplorerSource(explorer, budget)
        let journal = TriedJournal(directory)
        var summary = await stop.follow { ended in
            await campaign.run(source, identity: identity, directory: directory, stop: ended) { result, summary in
                let entry = Tried(
                    trial: result.number, what: source.text(of: result.number), verdict: result.judgement.verdict,
                    scenario: result.scenario, seconds: summary.seconds, done: source.done(result.number))
                tried.append(entry)
                journal.add(entry)
                // Nobody needs to wait for those that are still under way.
                if result.judgement.verdict == .violated, budget.endsAtViolation { ended.set() }
                progress(summary.trials, summary)
            }
        }
        summary.interrupted = stop.isSet
        let (coverage, upcoming, broken) = source.state
        decide(&summary, broken, coverage)
        return Outcome(
            summary: summary, coverage: coverage, upcoming: upcoming, first: Self.first(of: tried), broken: broken,
            causes: Self.causes(summary, tried), tried: tried)
    }

    /// Goes on where an earlier part was: what was under way then is not known, and is taken away.
    private func goOn(
        after tried: [Tried], _ directory: RunDirectory, _ campaign: inout Campaign, _ explorer: inout Explorer,
        _ budget: inout Budget
    ) throws {
        let ledgers = (try? StoredRun.ledgers(of: directory.path)) ?? []
        let numbers = Set(tried.map(\.trial))
        for ledger in ledgers {
            let records = (try? LedgerFile.read(ledger)) ?? []
            guard case .trial(let header)? = records.first?.event, numbers.contains(header.trial),
                case .end? = records.last?.event
            else {
                unlink(ledger)
                continue
            }
        }
        let earlier = try StoredRun.earlier(directory, .explore)
        let seconds = tried.compactMap(\.seconds).max() ?? earlier.1
        campaign.earlier = (earlier.0, seconds)
        explorer.remember(Set(tried.flatMap { $0.done ?? [] }), last: numbers.max() ?? 0)
        budget.trials = budget.trials.map { max(0, $0 - tried.count) }
        budget.time = budget.time.map { max(.zero, $0 - .seconds(seconds)) }
    }

    /// Whether the directory holds an earlier part of this exploration. Where it is new, what it is of is written down.
    private func hasBegun(_ identity: TargetIdentity?, _ directory: RunDirectory) throws -> Bool {
        let own = Settings(
            bases: explorer.bases, window: explorer.window, strategy: explorer.strategy, tree: identity?.treeHash)
        let path = "\(directory.path)/settings.json"
        guard let data = FileManager.default.contents(atPath: path) else {
            // Without them it cannot be gone on with, which is no reason not to begin.
            if let data = try? JSONEncoder().encode(own) {
                try? directory.write("settings.json", String(decoding: data, as: UTF8.self))
            }
            return false
        }
        guard let stored = try? JSONDecoder().decode(Settings.self, from: data), stored == own else {
            throw CertificationError(
                "explore: '\(directory.path)' is of another target, scenario, window or strategy; go on with the same options, or begin anew without --resume"
            )
        }
        return true
    }

    /// What else than its trials the verdict rests on.
    private func decide(_ summary: inout RunSummary, _ broken: [String], _ coverage: [ExplorationCoverage.Part]) {
        for name in broken {
            summary.add(
                RunPart(
                    name: "base", verdict: .inconclusive,
                    text: "nothing was explored from '\(name)': it could not be judged even without a fault"))
        }
        let missed = coverage.reduce(0) { $0 + $1.notReached }
        if missed > 0, coverage.allSatisfy({ $0.tried == 0 }) {
            summary.add(
                RunPart(
                    name: "coverage", verdict: .inconclusive,
                    text: "nothing was tried: none of \(missed) trials came to what it was for"))
        }
        summary.decide()
    }

    private static func first(of tried: [Tried]) -> First? {
        guard let place = tried.firstIndex(where: { $0.verdict == .violated }) else { return nil }
        return First(trials: place + 1, seconds: tried[place].seconds ?? 0)
    }

    private static func causes(_ summary: RunSummary, _ tried: [Tried]) -> [String: String] {
        let texts = Dictionary(tried.map { ($0.trial, $0.what) }) { first, _ in first }
        let pairs = summary.findings.compactMap { finding in texts[finding.firstTrial].map { (finding.signature, $0) } }
        return Dictionary(pairs) { first, _ in first }
    }
}

/// An explorer that several threads ask.
private final class ExplorerSource: TrialSource {
    private let explorer: Mutex<(explorer: Explorer, left: Int, done: [Int: [String]])>
    private let deadline: ContinuousClock.Instant?
    private let bell = Bell()

    init(_ explorer: Explorer, _ budget: ExploreCampaign.Budget) {
        self.explorer = Mutex((explorer, budget.trials ?? .max, [:]))
        deadline = budget.time.map { .now + $0 }
    }

    func next() -> (number: Int, scenario: Scenario)? {
        bell.trial {
            deadline.map { ContinuousClock.now < $0 } ?? true
        } asking: {
            explorer.withLock { state in
                guard state.left > 0 else { return .never }
                let next = state.explorer.next()
                if case .trial = next { state.left -= 1 }
                return next
            }
        }
    }

    func finished(_ result: TrialResult) {
        // One that was interrupted has shown nothing; whoever waits for what it was to show waits in vain.
        if result.wasInterrupted { return close() }
        explorer.withLock { state in
            state.explorer.finished(result.number, result.records, result.judgement.verdict)
            state.done[result.number] = state.explorer.done(result.number, result.records)
        }
        bell.ring()
    }

    /// What a trial did of what it was for.
    func done(_ number: Int) -> [String] { explorer.withLock { $0.done.removeValue(forKey: number) ?? [] } }

    func close() {
        explorer.withLock { $0.left = 0 }
        bell.ring()
    }

    func text(of number: Int) -> String {
        explorer.withLock { state in
            switch state.explorer.purpose(of: number) {
            case .candidate(let candidate)?: state.explorer.text(of: candidate)
            case .reference(let base)?, .plain(let base)?: "\(state.explorer.bases[base].name): nothing"
            case .reaction(let base, let victim)?:
                "\(state.explorer.bases[base].name): kill \(victim), to see who does what about it"
            case nil: ""
            }
        }
    }

    var state: ([ExplorationCoverage.Part], [String], [String]) {
        explorer.withLock { state in
            let explorer = state.explorer
            return (
                explorer.coverage.byKind, explorer.upcoming, explorer.broken.sorted().map { explorer.bases[$0].name }
            )
        }
    }
}
