public import Checkers
public import Evidence
public import Scenarios
import Schedules

/// Decides what is tried next, from what has been seen. Pure: the same scenarios, seed and results give the same decisions.
public struct Explorer: Sendable {
    /// What the step is called with which a shutdown begins, where nobody says otherwise.
    public static let usualWindow = "shutdown"

    /// The base scenarios, without faults of their own.
    public let bases: [Scenario]
    /// The step with which the window begins.
    public let window: String
    /// How it chooses.
    public let strategy: Strategy
    private let sparing: Sparing
    private var draw: SplitMix64
    private var issued = 0
    private var purposes: [Int: Purpose] = [:]
    /// What the references have shown so far.
    private var known: Set<String> = []
    /// Of how many bases, from the first on, a reference was asked for.
    private var asked = 0
    /// How many of these are not back yet.
    var underWay = 0
    var queues: [Candidate.Kind: [Candidate]] = [:]
    var turn = 0
    /// How many processes a trial of each base has: by these it takes the processor.
    var cost: [Int: Double] = [:]
    /// Whose death in each base has not been looked at yet.
    var victims: [Int: [Role]] = [:]
    /// Who is known of each base.
    private var roles: [Int: Set<Role>] = [:]
    /// How many turns of each kind each base has had.
    var turnsOfBase: [Candidate.Kind: [Int: Int]] = [:]
    var novelty = Novelty()
    /// Base scenarios whose trial without a fault could not be judged: there is nothing to be learned from them.
    public private(set) var broken: Set<Int> = []
    /// What is known and was tried so far.
    public private(set) var coverage = ExplorationCoverage()

    /// What an earlier part of the same exploration has tried.
    private var remembered: Set<String> = []

    static let requestsAtOnce = 4

    /// In which order kinds take their turns.
    static let turns: [Candidate.Kind] = [
        .delay, .kill, .request, .kill, .delay, .crash, .kill, .delay, .request, .kill, .delay, .orphan, .kill, .delay,
        .invert, .kill, .crash, .delay, .slow,
    ]

    /// Makes one.
    /// - Throws: `ExplorationError` when a scenario has no such step, or there is none.
    public init(
        _ scenarios: [Scenario], window: String, strategy: Strategy, seed: UInt64, sparing: Sparing = Sparing()
    ) throws(ExplorationError) {
        self.sparing = sparing
        guard !scenarios.isEmpty else { throw ExplorationError("explore: no scenario to start from") }
        var bases: [Scenario] = []
        for scenario in scenarios { bases.append(try Sweep(scenario, window: window, roles: nil).base) }
        self.bases = bases
        self.window = window
        self.strategy = strategy
        draw = SplitMix64(seed: seed)
    }

    /// Takes in what an earlier part of the same exploration has tried, before anything is asked for: it is not tried again before
    /// everything else was.
    /// - Parameter last: the highest number that a trial of it had.
    public mutating func remember(_ done: Set<String>, last: Int) {
        remembered = done
        issued = max(issued, last)
    }

    /// What a trial has done of what it was for, as `remember` takes it. To be asked when it was told of to `finished`.
    public func done(_ number: Int, _ records: [Record]) -> [String] {
        guard case .candidate(let candidate)? = purposes[number], candidate.kind != .random else { return [] }
        let fired = Self.fired(records)
        return (candidate.parts.isEmpty ? [candidate] : candidate.parts).filter { $0.happened(fired) }.map(Self.key)
    }

    private static func key(_ candidate: Candidate) -> String {
        "\(candidate.base) \(candidate.kind) \(candidate.text)"
    }

    /// What is tried next.
    public mutating func next() -> Next {
        guard broken.count < bases.count else { return .never }
        guard let purpose = choose() else { return .later }
        issued += 1
        purposes[issued] = purpose
        switch purpose {
        case .reference(let base):
            var scenario = Trace.recording(bases[base], window: window)
            scenario.name += "-reference"
            return .trial(number: issued, scenario: scenario)
        case .reaction(let base, let victim):
            let scenario = Reaction.recording(bases[base], window: window, victim: victim)
            return .trial(number: issued, scenario: scenario ?? bases[base])
        case .plain(let base): return .trial(number: issued, scenario: bases[base])
        case .candidate(let candidate):
            return .trial(number: issued, scenario: candidate.scenario(of: bases[candidate.base], window: window))
        }
    }

    /// What a trial was for.
    public func purpose(of number: Int) -> Purpose? { purposes[number] }

    /// Takes in what came of a trial.
    public mutating func finished(_ number: Int, _ records: [Record], _ verdict: Verdict) {
        switch purposes[number] {
        case .reference?, .reaction?: underWay -= 1
        case .candidate?, .plain?, nil: break
        }
        switch purposes[number] {
        case .reference(let base)? where verdict == .inconclusive: broken.insert(base)
        case .reference(let base)?:
            let maker = Candidates(
                base: base, scenario: bases[base], window: window, trace: Trace(records, window: window))
            cost[base] = Double(maker.processes)
            for kind in kinds { enqueue(maker.all(kind), kind, base) }
            if strategy == .guided, victims[base] == nil, bases[base].request(at: window) != nil {
                victims[base] = Reaction.victims(maker.trace).filter(sparing.admitsDeath)
            }
            roles[base, default: []].formUnion(
                (maker.trace.start + maker.trace.window).map(\.role) + maker.trace.living)
        case .reaction(let base, let victim)?:
            enqueue(
                Reaction.candidates(
                    records, base: base, bases[base], window: window, victim: victim, known: roles[base] ?? []),
                .crash, base)
        case .candidate(let candidate)?:
            let fired = Self.fired(records)
            coverage.note(candidate, verdict, fired: fired)
            for part in candidate.parts
            where !part.happened(fired) && Company.isWhole(part, among: candidate.parts) { novelty.forget(part) }
        case .plain?, nil: break
        }
    }

    private mutating func enqueue(_ all: [Candidate], _ kind: Candidate.Kind, _ base: Int) {
        let made = all.filter(sparing.admits)
        let new = made.filter { known.insert(Self.key($0)).inserted }
        let again = new.filter { remembered.contains(Self.key($0)) }
        queues[kind, default: []] += new.isEmpty ? made : new.filter { !remembered.contains(Self.key($0)) }
        coverage.add(new)
        for candidate in again {
            coverage.note(candidate, .held, fired: Set(candidate.faults.map(\.name)))
            novelty.note(candidate)
        }
    }

    /// What would be tried next, for people.
    public var upcoming: [String] {
        var copy = self
        return (0..<5).compactMap { _ in
            guard case .candidate(let candidate)? = copy.choose() else { return nil }
            return text(of: candidate)
        }
    }

    /// What a candidate does, and in which scenario, for people.
    public func text(of candidate: Candidate) -> String { "\(bases[candidate.base].name): \(candidate.text)" }

    private var kinds: [Candidate.Kind] {
        switch strategy {
        case .guided, .random: Candidate.Kind.allCases
        case .sweep: [.kill, .delay]
        case .inversion: [.invert]
        case .plain: []
        }
    }

    /// Nil while there is nothing to choose from, until a reference is back.
    private mutating func choose() -> Purpose? {
        let working = bases.indices.filter { !broken.contains($0) }
        let plain = Purpose.plain(base: working.isEmpty ? 0 : working[issued % working.count])
        if strategy == .plain { return plain }
        // What a base has to offer is learned as soon as those before it have had a turn.
        if let reference = reference() { return reference }
        let purpose =
            switch strategy {
            case .random: drawn().map(Purpose.candidate)
            case .guided: unseen()
            case .sweep, .inversion, .plain: first().map(Purpose.candidate)
            }
        if let purpose { return purpose }
        guard underWay == 0 else { return nil }
        // Everything was tried: another trial of a base comes by other places, and has other operations near to each other.
        asked = 0
        return reference() ?? plain
    }

    /// The trial that shows what the next base has to offer; nil when all were asked.
    private mutating func reference() -> Purpose? {
        while asked < bases.count {
            asked += 1
            guard !broken.contains(asked - 1) else { continue }
            underWay += 1
            return .reference(base: asked - 1)
        }
        return nil
    }

    /// The faults that were injected in a trial.
    private static func fired(_ records: [Record]) -> Set<String> {
        Set(
            records.compactMap { record in
                guard case .fault(let injection) = record.event, injection.failure == nil else { return nil }
                return injection.fault
            })
    }

    private mutating func first() -> Candidate? {
        for kind in kinds where queues[kind]?.isEmpty == false { return queues[kind]?.removeFirst() }
        return nil
    }

    mutating func drawn() -> Candidate? {
        let all = coverage.known.filter { $0.moment == .window }
        guard !all.isEmpty else { return nil }
        let depth = draw.number(in: 1...3)
        let first = all[draw.number(in: 0...(all.count - 1))]
        let others = all.filter { $0.base == first.base }
        let parts = [first] + (1..<depth).map { _ in others[draw.number(in: 0...(others.count - 1))] }
        return Candidate.together(parts, as: .random, isOptional: false)
    }
}
