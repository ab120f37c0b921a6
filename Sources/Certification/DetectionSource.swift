import Benchmarks
import Checkers
import Evidence
import Exploration
import Foundation
import Scenarios
import Schedules
import Synchronization
import Trials

/// Hands out the trials of one search for a race, and ends it at the first violation.
final class DetectionSource: TrialSource {
    /// The first violation.
    struct First {
        let signature: String
        let cause: String
        let seconds: Double
        let ledger: String?
    }

    private struct State {
        var hunt: any Hunt
        var left: Int
        var trials = 0
        var inconclusive = 0
        var first: First?
    }

    private let state: Mutex<State>
    private let begin = ContinuousClock.now
    private let time: Duration
    private let ended: StopSignal
    private let bell = Bell()

    /// - Parameter ended: given at the first violation, so that nobody waits for trials that are still under way.
    init(_ hunt: any Hunt & Sendable, trials: Int, time: Duration, ended: StopSignal) {
        state = Mutex(State(hunt: hunt, left: trials))
        self.time = time
        self.ended = ended
    }

    func next() -> (number: Int, scenario: Scenario)? {
        bell.trial {
            ContinuousClock.now - begin < time
        } asking: {
            state.withLock { state in
                guard state.left > 0 else { return .never }
                let next = state.hunt.next()
                if case .trial = next { state.left -= 1 }
                return next
            }
        }
    }

    func finished(_ result: TrialResult) {
        let spent = ContinuousClock.now - begin
        // What ends after the time is over does not count: otherwise one slow trial would be worth more than many fast ones.
        guard !result.wasInterrupted, spent < time else { return close() }
        let isFound = state.withLock { state in
            guard state.first == nil else { return false }
            let judgement = state.hunt.finished(result)
            state.trials += 1
            if judgement.verdict == .inconclusive { state.inconclusive += 1 }
            guard judgement.verdict == .violated, let violation = judgement.violations.first else { return false }
            state.first = First(
                signature: violation.signature, cause: state.hunt.text(of: result.number), seconds: spent / .seconds(1),
                ledger: result.ledger)
            return true
        }
        if isFound { ended.set() }
        bell.ring()
    }

    func close() {
        state.withLock { $0.left = 0 }
        bell.ring()
    }

    /// What came of it.
    var outcome: (first: First?, trials: Int, inconclusive: Int, trouble: String?) {
        state.withLock { ($0.first, $0.trials, $0.inconclusive, $0.hunt.trouble) }
    }
}

/// Who decides what is tried.
protocol Hunt {
    /// What is tried next.
    mutating func next() -> Explorer.Next
    /// Takes in what came of a trial.
    /// - Returns: what it amounts to.
    mutating func finished(_ result: TrialResult) -> Judgement
    /// What a trial tried, for people.
    func text(of number: Int) -> String
    /// Why it cannot look at all; then what it found or did not says nothing.
    var trouble: String? { get }
}

extension Explorer: Hunt {
    var trouble: String? { nil }

    mutating func finished(_ result: TrialResult) -> Judgement {
        finished(result.number, result.records, result.judgement.verdict)
        return result.judgement
    }

    func text(of number: Int) -> String {
        guard case .candidate(let candidate)? = purpose(of: number) else { return "nothing" }
        return text(of: candidate)
    }
}

/// What strace is asked to inject, trial by trial.
///
/// Which calls there are, and how often, it learns from a trial of each scenario under a strace that only writes down: anybody who uses
/// strace so would look first. Of the shutdown it knows nothing: the gate is what sees where that begins.
struct StraceHunt: Hunt {
    private enum Purpose {
        case reference(base: Int)
        case injection(Strace)
    }

    private let bases: [Scenario]
    private let program: String
    /// The beginning of the names of strace's own logs.
    private let log: String
    private var draw: SplitMix64
    private var issued = 0
    private var purposes: [Int: Purpose] = [:]
    private var calls: [Int: [String: Int]] = [:]
    private(set) var trouble: String?

    /// - Parameter log: the beginning of the names of strace's own logs, where a trial can write.
    init(bases: [Scenario], program: String, log: String, seed: UInt64) {
        self.bases = bases
        self.program = program
        self.log = log
        draw = SplitMix64(seed: seed)
    }

    func text(of number: Int) -> String {
        guard case .injection(let strace)? = purposes[number] else { return "nothing" }
        return strace.text
    }

    mutating func next() -> Explorer.Next {
        let base = issued % bases.count
        if issued < bases.count {
            issued += 1
            purposes[issued] = .reference(base: base)
            let scenario = Strace.observing(
                bases[base], calls: VisibleCalls.all, log: "\(log)-\(base)", program: program)
            return .trial(number: issued, scenario: scenario)
        }
        guard let known = calls[base] else { return .later }
        guard !known.isEmpty else { return .never }
        issued += 1
        let strace = Strace.drawn(from: known, &draw)
        purposes[issued] = .injection(strace)
        return .trial(number: issued, scenario: strace.scenario(of: bases[base], program: program))
    }

    mutating func finished(_ result: TrialResult) -> Judgement {
        switch purposes[result.number] {
        case .reference(let base)?:
            let logs = bases[base].topology.processes.indices.map { "\(log)-\(base)-\($0)" }
            let learned = Strace.calls(in: logs.compactMap { try? String(contentsOfFile: $0, encoding: .utf8) })
            calls[base] = learned
            if learned.isEmpty {
                trouble = "strace wrote nothing into '\(log)-\(base)-*': it has no calls to draw from"
            }
            return result.judgement
        case .injection(let strace)?: return strace.judged(result.records)
        case nil: return result.judgement
        }
    }
}
