public import Checkers
public import Exploration
import Foundation
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

    /// Runs it.
    public func run(
        identity: TargetIdentity?, directory: RunDirectory?, stop: StopSignal, progress: (Int, RunSummary) -> Void
    ) async -> Outcome {
        let source = ExplorerSource(explorer, budget)
        var first: First?
        var causes: [String: String] = [:]
        var tried: [Tried] = []
        let begin = ContinuousClock.now
        var summary = await stop.follow { ended in
            await campaign.run(source, identity: identity, directory: directory, stop: ended) { result, summary in
                tried.append(
                    Tried(
                        trial: result.number, what: source.text(of: result.number),
                        verdict: result.judgement.verdict))
                if result.judgement.verdict == .violated {
                    if first == nil {
                        first = First(trials: summary.trials, seconds: (ContinuousClock.now - begin) / .seconds(1))
                    }
                    for violation in result.judgement.violations where causes[violation.signature] == nil {
                        causes[violation.signature] = source.text(of: result.number)
                    }
                    // Nobody needs to wait for those that are still under way.
                    if budget.endsAtViolation { ended.set() }
                }
                progress(summary.trials, summary)
            }
        }
        summary.interrupted = stop.isSet
        let (coverage, upcoming, broken) = source.state
        return Outcome(
            summary: summary, coverage: coverage, upcoming: upcoming, first: first, broken: broken,
            causes: causes, tried: tried)
    }
}

/// An explorer that several threads ask.
private final class ExplorerSource: TrialSource {
    private let explorer: Mutex<(explorer: Explorer, left: Int)>
    private let deadline: ContinuousClock.Instant?
    private let bell = Bell()

    init(_ explorer: Explorer, _ budget: ExploreCampaign.Budget) {
        self.explorer = Mutex((explorer, budget.trials ?? .max))
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
        explorer.withLock { $0.explorer.finished(result.number, result.records, result.judgement.verdict) }
        bell.ring()
    }

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
