public import Checkers
public import Evidence
public import Scenarios
import Schedules

/// Decides what is tried next, from what has been seen. Pure: the same scenarios, seed and results give the same decisions.
public struct Explorer: Sendable {
    /// How it chooses.
    public enum Strategy: String, Codable, Sendable, CaseIterable {
        /// By what is still unseen, each kind of thing in turn.
        case guided
        /// Every kill, then every delay: of each kind of operation the first, the last, then those between.
        case sweep
        /// Order inversions only, of each scenario the nearest pair first.
        case inversion
        /// One to three things at once, drawn with the seed: random scheduling with a bound on its depth, after Burckhardt et al., "A
        /// randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010.
        case random
        /// Nothing: the scenarios as they are.
        case plain
    }

    /// What a trial is for.
    public enum Purpose: Sendable {
        /// It lists the operations of a base scenario.
        case reference(base: Int)
        /// It tries something.
        case candidate(Candidate)
        /// It runs a base scenario as it is.
        case plain(base: Int)
    }

    /// What there is to do.
    public enum Next: Sendable {
        /// A trial: its number and its scenario.
        case trial(number: Int, scenario: Scenario)
        /// Nothing, until a trial that is under way has ended: what it shows is needed.
        case later
        /// Nothing: no base scenario works even without a fault.
        case never
    }

    /// What the step is called with which a shutdown begins, where nobody says otherwise.
    public static let usualWindow = "shutdown"

    /// The base scenarios, without faults of their own.
    public let bases: [Scenario]
    /// The step with which the window begins.
    public let window: String
    private let strategy: Strategy
    private let sparing: Sparing
    private var draw: SplitMix64
    private var issued = 0
    private var purposes: [Int: Purpose] = [:]
    /// What the references have shown so far.
    private var known: Set<String> = []
    /// Of how many bases, from the first on, a reference was asked for.
    private var asked = 0
    /// How many of these are not back yet.
    private var underWay = 0
    private var queues: [Candidate.Kind: [Candidate]] = [:]
    private var turn = 0
    /// How many processes a trial of each base has: by these it takes the processor.
    private var cost: [Int: Double] = [:]
    /// How many turns of each kind each base has had.
    private var turnsOfBase: [Candidate.Kind: [Int: Int]] = [:]
    private var novelty = Novelty()
    /// Base scenarios whose trial without a fault could not be judged: there is nothing to be learned from them.
    public private(set) var broken: Set<Int> = []
    /// What is known and was tried so far.
    public private(set) var coverage = ExplorationCoverage()

    private static let requestsAtOnce = 4

    /// In which order kinds take their turns.
    private static let turns: [Candidate.Kind] = [
        .delay, .kill, .request, .kill, .delay, .kill, .delay, .request, .kill, .delay, .orphan, .kill, .delay, .invert,
        .kill, .delay, .slow,
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
        case .plain(let base): return .trial(number: issued, scenario: bases[base])
        case .candidate(let candidate):
            return .trial(number: issued, scenario: candidate.scenario(of: bases[candidate.base], window: window))
        }
    }

    /// What a trial was for.
    public func purpose(of number: Int) -> Purpose? { purposes[number] }

    /// Takes in what came of a trial.
    public mutating func finished(_ number: Int, _ records: [Record], _ verdict: Verdict) {
        if case .reference? = purposes[number] { underWay -= 1 }
        switch purposes[number] {
        case .reference(let base)? where verdict == .inconclusive: broken.insert(base)
        case .reference(let base)?:
            let maker = Candidates(
                base: base, scenario: bases[base], window: window, trace: Trace(records, window: window))
            cost[base] = Double(maker.processes)
            for kind in kinds {
                let made = maker.all(kind).filter(sparing.admits)
                let new = made.filter { known.insert("\(base) \(kind) \($0.text)").inserted }
                queues[kind, default: []] += new.isEmpty ? made : new
                coverage.add(new)
            }
        case .candidate(let candidate)?:
            let fired = Self.fired(records)
            coverage.note(candidate, verdict, fired: fired)
            for part in candidate.parts
            where !part.happened(fired) && Company.isWhole(part, among: candidate.parts) { novelty.forget(part) }
        case .plain?, nil: break
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
        let candidate =
            switch strategy {
            case .random: drawn()
            case .guided: unseen()
            case .sweep, .inversion, .plain: first()
            }
        if let candidate { return .candidate(candidate) }
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

    /// What is least tried of the kind whose turn it is, and what can go along with it, of the base where this is the most for what
    /// it costs.
    private mutating func unseen() -> Candidate? {
        for _ in Self.turns {
            let kind = Self.turns[turn % Self.turns.count]
            turn += 1
            // Asked is asked: while the topology starts it can be at one place only, later at several in one trial.
            let asksAtOnce = kind == .request && turn / Self.turns.count % 4 != 3
            let plans = bases.indices.compactMap { plan(kind, base: $0, asksAtOnce: asksAtOnce) }
            // Of what shows as much that is new the cheaper comes first; and where much is alike a base that offers little would
            // never have its turn.
            let ranked = plans.map {
                (plan: $0, worth: $0.worth / Double(1 + turns(kind, base: $0.base)) / (cost[$0.base] ?? 1))
            }
            guard let best = ranked.max(by: { $0.worth < $1.worth })?.plan else { continue }
            turnsOfBase[kind, default: [:]][best.base, default: 0] += 1
            for place in best.first.sorted(by: >) { queues[kind]?.remove(at: place) }
            novelty = best.novelty
            return Candidate.together(best.members, as: kind, isOptional: true)
        }
        // Everything was tried once: several at a time.
        return drawn()
    }

    private func turns(_ kind: Candidate.Kind, base: Int) -> Int { turnsOfBase[kind]?[base] ?? 0 }

    /// A trial there could be.
    private struct Plan {
        let base: Int
        /// Where those that it is for are in their queue.
        var first: [Int] = []
        var members: [Candidate] = []
        /// What would be known to be tried after it.
        var novelty: Novelty
        var worth = 0.0

        mutating func take(_ candidate: Candidate) {
            worth += novelty.worth(candidate)
            novelty.note(candidate)
        }
    }

    private func plan(_ kind: Candidate.Kind, base: Int, asksAtOnce: Bool) -> Plan? {
        var plan = Plan(base: base, novelty: novelty)
        for _ in 0..<(asksAtOnce ? Self.requestsAtOnce : 1) {
            let fits = { (place: Int, candidate: Candidate) in
                candidate.base == base && !plan.first.contains(place) && (!asksAtOnce || candidate.moment == .window)
            }
            guard var best = best(kind, plan.novelty, where: fits), var candidate = queues[kind]?[best] else { break }
            // What happens before the request needs a trial of its own; what comes after it can go along.
            if kind == .delay || kind == .kill && turns(kind, base: base) % 2 == 1,
                let early = self.best(kind, plan.novelty, where: { fits($0, $1) && $1.moment == .before }),
                let other = queues[kind]?[early], plan.novelty.count(other) <= plan.novelty.count(candidate)
            {
                (best, candidate) = (early, other)
            }
            plan.first.append(best)
            plan.members.append(candidate)
            plan.take(candidate)
        }
        guard !plan.members.isEmpty else { return nil }
        let deadline = bases[base].steps.first { $0.name == window }?.within ?? .zero
        var company = Company(plan.members, deadline: deadline)
        let join = { (kind: Candidate.Kind) -> Bool in
            guard let best = self.best(kind, plan.novelty, where: { company.admits($1) }),
                let companion = self.queues[kind]?[best]
            else { return false }
            company.add(companion)
            plan.novelty.noteCompanion(companion)
            if Company.isWhole(companion, among: company.members) { plan.take(companion) }
            return true
        }
        for kind in [Candidate.Kind.kill, .request, .delay] { while join(kind) {} }
        plan.members = company.members
        return plan
    }

    /// The place in its queue of the least tried of a kind.
    private func best(
        _ kind: Candidate.Kind, _ novelty: Novelty, where fits: (Int, Candidate) -> Bool
    ) -> Int? {
        guard let queue = queues[kind] else { return nil }
        return queue.indices.filter { fits($0, queue[$0]) }
            .map { (place: $0, order: novelty.order(queue[$0])) }
            .min { $0.order < $1.order }?.place
    }

    private mutating func first() -> Candidate? {
        for kind in kinds where queues[kind]?.isEmpty == false { return queues[kind]?.removeFirst() }
        return nil
    }

    private mutating func drawn() -> Candidate? {
        let all = coverage.known.filter { $0.moment == .window }
        guard !all.isEmpty else { return nil }
        let depth = draw.number(in: 1...3)
        let first = all[draw.number(in: 0...(all.count - 1))]
        let others = all.filter { $0.base == first.base }
        let parts = [first] + (1..<depth).map { _ in others[draw.number(in: 0...(others.count - 1))] }
        return Candidate.together(parts, as: .random, isOptional: false)
    }
}
