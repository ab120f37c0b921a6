import Checkers
public import Exploration
import Foundation
public import Reports
public import Scenarios
import Synchronization
import Trials

/// Shrinks the schedule of a trial that was violated: runs what a shrinker wants to know, side by side on all cores.
public struct ShrinkCampaign: Sendable {
    /// How far a shrinking is.
    public struct Progress: Sendable {
        /// What is being tried.
        public let question: Question
        /// How often the failure came of that.
        public let frequency: Frequency
        /// How many trials there were in all.
        public let trials: Int
        /// Whether the question is answered.
        public let isAnswered: Bool
    }

    private let scenario: Scenario
    private let origin: [Step]?
    private let signature: String
    private let confirm: Int
    private let campaign: Campaign

    /// Makes one.
    /// - Parameters:
    ///   - scenario: the whole schedule.
    ///   - origin: the steps before any fault was put in.
    ///   - signature: the failure that must come again.
    ///   - confirm: in how many trials the result is confirmed.
    ///   - campaign: everything about the trials but their scenarios.
    public init(scenario: Scenario, origin: [Step]?, signature: String, confirm: Int, campaign: Campaign) {
        self.scenario = scenario
        self.origin = origin
        self.signature = signature
        self.confirm = confirm
        self.campaign = campaign
    }

    /// Runs it.
    /// - Returns: what came of it, and the last trials in numbers: those that confirm it, unless it was interrupted.
    public func run(
        identity: TargetIdentity?, directory: RunDirectory, stop: StopSignal,
        progress: @escaping @Sendable (Progress) -> Void
    ) async -> (Shrunk, RunSummary?) {
        var campaign = campaign
        campaign.scenarios = []
        campaign.keepsOnlyWhatTells = true
        let oracle = TrialOracle(campaign, signature, identity, directory, stop, progress)
        var shrinker = Shrinker(scenario, origin: origin, confirm: confirm, oracle: oracle)
        let result = await shrinker.run()
        return (result, oracle.last)
    }
}

extension ShrinkCampaign {
    /// How often in a row a schedule must give a failure to be taken at once.
    private static let inARow = 20

    /// Finds out which of several schedules gives a failure most reliably: the first that gives it every time, else the one that did
    /// longest.
    /// - Parameters:
    ///   - schedules: what they are called, and what they are.
    ///   - directory: where their trials leave their ledgers.
    /// - Returns: its place.
    public static func mostReliable(
        of schedules: [(name: String, scenario: Scenario)], signature: String, campaign: Campaign,
        identity: TargetIdentity?, directory: RunDirectory, stop: StopSignal,
        progress: @escaping @Sendable (Progress) -> Void
    ) async -> Int {
        var campaign = campaign
        campaign.scenarios = []
        campaign.keepsOnlyWhatTells = true
        let oracle = TrialOracle(campaign, signature, identity, directory, stop, progress)
        var best = (place: 0, reproduced: 0)
        for (place, schedule) in schedules.enumerated() {
            let question = Question(
                kind: .always(inARow), text: "as in \(schedule.name)", faultsLeft: schedule.scenario.faults.count)
            guard let answer = await oracle.answer(question, about: schedule.scenario) else { break }
            if answer.decision == true { return place }
            if answer.frequency.reproduced > best.reproduced { best = (place, answer.frequency.reproduced) }
        }
        return best.place
    }
}

/// Answers questions with trials.
private final class TrialOracle: ShrinkOracle {
    private let campaign: Campaign
    private let signature: String
    private let identity: TargetIdentity?
    private let directory: RunDirectory
    private let stop: StopSignal
    private let progress: @Sendable (ShrinkCampaign.Progress) -> Void
    private let state = Mutex<(trials: Int, last: RunSummary?)>((0, nil))

    init(
        _ campaign: Campaign, _ signature: String, _ identity: TargetIdentity?, _ directory: RunDirectory,
        _ stop: StopSignal, _ progress: @escaping @Sendable (ShrinkCampaign.Progress) -> Void
    ) {
        self.campaign = campaign
        self.signature = signature
        self.identity = identity
        self.directory = directory
        self.stop = stop
        self.progress = progress
    }

    /// The last question's trials in numbers.
    var last: RunSummary? { state.withLock(\.last) }

    func answer(_ question: Question, about scenario: Scenario) async -> Answer? {
        guard !stop.isSet else { return nil }
        let before = state.withLock(\.trials)
        let source = QuestionSource(question, scenario, signature, after: before)
        let summary = await campaign.run(source, identity: identity, directory: directory, stop: stop) { _, summary in
            tell(question, source.answer, before, isAnswered: false)
        }
        let answer = source.answer
        state.withLock { state in
            // Every number that was handed out, for an interrupted trial has left a ledger too.
            state.trials = source.lastNumber
            state.last = summary
        }
        tell(question, answer, before, isAnswered: answer.decision != nil)
        return answer.decision == nil ? nil : answer
    }

    private func tell(_ question: Question, _ answer: Answer, _ before: Int, isAnswered: Bool) {
        progress(
            .init(
                question: question, frequency: answer.frequency, trials: before + answer.frequency.trials,
                isAnswered: isAnswered))
    }
}

/// Hands out trials of one scenario until a question about it is answered.
private final class QuestionSource: TrialSource {
    private let scenario: Scenario
    private let signature: String
    private let first: Int
    private let most: Int
    private let state: Mutex<(handedOut: Int, inVain: Int, answer: Answer, isClosed: Bool)>

    init(_ question: Question, _ scenario: Scenario, _ signature: String, after number: Int) {
        self.scenario = scenario
        self.signature = signature
        first = number + 1
        most = question.most
        state = Mutex((0, 0, question.unanswered, false))
    }

    var answer: Answer { state.withLock(\.answer) }
    var lastNumber: Int { state.withLock { first - 1 + $0.handedOut } }

    func next() -> (number: Int, scenario: Scenario)? {
        state.withLock { state in
            guard !state.isClosed, state.answer.decision == nil, state.handedOut - state.inVain < most
            else { return nil }
            state.handedOut += 1
            return (first - 1 + state.handedOut, scenario)
        }
    }

    func finished(_ result: TrialResult) {
        guard !result.wasInterrupted else { return }
        // What befell a trial from outside says nothing of its schedule: another takes its place, but not without end.
        if result.judgement.isExcused == true { return state.withLock { $0.inVain = min($0.inVain + 1, most) } }
        let isGiven = result.judgement.violations.contains { $0.signature == signature }
        state.withLock { $0.answer.add(reproduced: isGiven) }
    }

    func close() { state.withLock { $0.isClosed = true } }
}
