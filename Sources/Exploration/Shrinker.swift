public import Scenarios

/// Runs what a shrinker wants to know.
public protocol ShrinkOracle: Sendable {
    /// Runs a scenario until the question is answered; nil when somebody interrupted that.
    func answer(_ question: Question, about scenario: Scenario) async -> Answer?
}

/// What came of shrinking.
public struct Shrunk: Sendable {
    /// How far it came.
    public enum Progress: Sendable, Equatable {
        /// The failure did not come again, not even with the whole schedule.
        case notReproduced
        /// The failure comes so seldom with the whole schedule that nothing could be told from taking parts away.
        case tooSeldom
        /// Somebody interrupted it: what is left gives the failure, but may not be the smallest.
        case interrupted
        /// Nothing can be taken away.
        case smallest
    }

    /// How far it came.
    public internal(set) var progress = Progress.smallest
    /// The smallest scenario so far that gives the failure.
    public internal(set) var scenario: Scenario
    /// How often the whole schedule gave it.
    public internal(set) var whole = Frequency()
    /// How often the smallest gives it; nil when it did not come to that.
    public internal(set) var confirmed: Frequency?
    /// How often it still comes without each fault, by name.
    public internal(set) var without: [String: Frequency] = [:]
    /// How many trials it took in all.
    public internal(set) var trials = 0
}

/// Finds the smallest schedule that still gives a failure.
///
/// Faults are taken away by delta debugging (Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE
/// Transactions on Software Engineering 2002), then each that is left is made simpler. Processes race, so no single trial decides
/// anything: each candidate is run until a sequential test tells its rate from luck. At last each fault is taken away once more, for
/// what was needed beside another may be needless beside its simpler form.
public struct Shrinker<Oracle: ShrinkOracle> {
    private struct Interrupted: Error {}

    private let oracle: Oracle
    private let origin: [Step]?
    private let confirm: Int
    private var test = SequentialTest.usual
    private var result: Shrunk
    private var faults: [Fault] { result.scenario.faults }

    /// With how many trials a rate is measured, and a length of time proved.
    private let measure = 20
    private let seldom = 0.2

    /// Makes one.
    /// - Parameters:
    ///   - scenario: the whole schedule.
    ///   - origin: the steps before any fault was put in, where faults have changed them.
    ///   - confirm: in how many trials the result is confirmed.
    public init(_ scenario: Scenario, origin: [Step]?, confirm: Int, oracle: Oracle) {
        self.oracle = oracle
        self.origin = origin
        self.confirm = confirm
        result = Shrunk(scenario: scenario)
    }

    /// Shrinks.
    public mutating func run() async -> Shrunk {
        do {
            guard try await reproduce() else { return result }
            try await takeAway()
            for place in faults.indices { try await simplify(place) }
            result.scenario.nameByKind()
            try await proveEachNeeded()
            result.confirmed = try await ask(result.scenario, .rate(confirm), "the smallest schedule").frequency
        } catch { result.progress = .interrupted }
        return result
    }

    private mutating func ask(
        _ scenario: Scenario, _ kind: Question.Kind, _ text: String
    ) async throws -> Answer {
        let question = Question(kind: kind, text: text, faultsLeft: faults.count)
        guard let answer = await oracle.answer(question, about: scenario) else { throw Interrupted() }
        result.trials += answer.frequency.trials
        return answer
    }

    private mutating func isGivenOften(_ scenario: Scenario, _ text: String) async throws -> Bool {
        try await ask(scenario, .often(test), text).decision == true
    }

    private func keeping(_ kept: [Fault]) -> Scenario { result.scenario.keeping(kept, origin: origin) }

    // MARK: the whole

    /// Whether the whole schedule gives the failure at a rate from which something can be told.
    private mutating func reproduce() async throws -> Bool {
        result.scenario = keeping(faults)
        let answer = try await ask(result.scenario, .often(test), "the whole schedule")
        result.whole = answer.frequency
        if answer.decision == true { return true }
        let more = try await ask(
            result.scenario, .rate(2 * measure), "the whole schedule, which does not always give it")
        result.whole = Frequency(
            reproduced: answer.frequency.reproduced + more.frequency.reproduced,
            of: answer.frequency.trials + more.frequency.trials)
        guard result.whole.reproduced > 0 else {
            result.progress = .notReproduced
            return false
        }
        guard result.whole.rate >= seldom else {
            result.progress = .tooSeldom
            result.confirmed = try await ask(result.scenario, .rate(confirm), "the whole schedule").frequency
            return false
        }
        test = SequentialTest(rate: result.whole.rate)
        return true
    }

    // MARK: fewer faults

    /// Delta debugging over the faults, the empty schedule first.
    private mutating func takeAway() async throws {
        guard !faults.isEmpty else { return }
        if try await isGivenOften(keeping([]), "no fault at all") {
            result.scenario = keeping([])
            return
        }
        var parts = 2
        var refused: Set<[String]> = []
        while faults.count > 1 {
            let all = faults
            let size = (all.count + parts - 1) / parts
            let chunks = stride(from: 0, to: all.count, by: size).map { $0..<min($0 + size, all.count) }
            let subsets = chunks.map { Array(all[$0]) }
            let complements = chunks.map { Array(all[..<$0.lowerBound] + all[$0.upperBound...]) }
            var found: (scenario: Scenario, parts: Int)?
            for (kept, next) in subsets.map({ ($0, 2) }) + complements.map({ ($0, max(2, parts - 1)) }) {
                let candidate = keeping(kept)
                let names = candidate.faults.map(\.name)
                guard !names.isEmpty, names.count < all.count, refused.insert(names).inserted else { continue }
                let text = "\(names.count) of \(all.count) faults"
                guard try await isGivenOften(candidate, text) else { continue }
                found = (candidate, next)
                break
            }
            if let found {
                result.scenario = found.scenario
                parts = found.parts
            } else if parts < all.count {
                parts = min(all.count, 2 * parts)
            } else {
                return
            }
        }
    }

    // MARK: simpler faults

    private mutating func simplify(_ place: Int) async throws {
        try await narrow(place)
        for simpler in faults[place].simplerKinds {
            guard try await replace(place, simpler, .often(test)) else { continue }
            break
        }
        try await shorten(place)
    }

    /// Puts a simpler fault in the place of one, if the failure still comes.
    private mutating func replace(_ place: Int, _ simpler: Fault, _ kind: Question.Kind) async throws -> Bool {
        var changed = faults
        changed[place] = simpler
        let candidate = keeping(changed)
        guard try await ask(candidate, kind, "\(simpler.words) instead").decision == true else { return false }
        result.scenario = candidate
        return true
    }

    /// From many arrivals to one: the first, the last, or ever smaller halves.
    private mutating func narrow(_ place: Int) async throws {
        guard faults[place].point?.window.times != nil else { return }
        while let times = faults[place].point?.window.times, times > 1 {
            let parts = [0..<1, (times - 1)..<times, 0..<(times / 2), (times / 2)..<times]
            var isSmaller = false
            for part in parts where part.count < times && !isSmaller {
                isSmaller = try await replace(place, faults[place].arrivals(part), .often(test))
            }
            guard isSmaller else { return }
        }
    }

    /// The shortest time that gives the failure, twice as long for a margin, and never longer than it was.
    private mutating func shorten(_ place: Int) async throws {
        guard let length = faults[place].length else { return }
        let was = faults[place]
        let rungs = length.shorterRungs
        var proof = Question.Kind.always(measure)
        // Where not even the whole schedule always gives it, no length of time can.
        if test != .usual { proof = .often(test) }
        var lower = 0
        var upper = rungs.count
        while lower < upper {
            let middle = (lower + upper) / 2
            if try await replace(place, was.lasting(rungs[middle]), proof) {
                upper = middle
            } else {
                lower = middle + 1
            }
        }
        guard upper < rungs.count else { return }
        var kept = faults
        kept[place] = was.lasting(min(length, rungs[upper] * 2))
        result.scenario = keeping(kept)
    }

    // MARK: each needed

    /// Takes each fault away once more, and notes how often the failure still comes.
    private mutating func proveEachNeeded() async throws {
        var place = 0
        while place < faults.count {
            let fault = faults[place]
            var others = faults
            others.remove(at: place)
            let candidate = keeping(others)
            let answer = try await ask(candidate, .rate(measure), "without \(fault.words)")
            guard answer.frequency.rate >= (test.low + test.high) / 2 else {
                result.without[fault.name] = answer.frequency
                place += 1
                continue
            }
            result.scenario = candidate
            result.without = [:]
            place = 0
        }
    }
}

extension Scenario {
    /// A fault whose name was its kind, and whose kind is another now, gets the name of what it is.
    mutating func nameByKind() {
        let words = ["hold", "invert", "stop", "freeze", "starve", "slow"]
        for index in faults.indices where !referred.contains(faults[index].name) {
            let stem = faults[index].name.prefix { $0.isLetter }
            guard words.contains(String(stem)), String(stem) != faults[index].action.kind else { continue }
            let names = Set(faults.map(\.name) + points.map(\.name))
            let kind = faults[index].action.kind
            let name = (1...(names.count + 1)).lazy.map { $0 == 1 ? kind : "\(kind)-\($0)" }.first {
                !names.contains($0)
            }
            if let name { faults[index].name = name }
        }
    }
}
