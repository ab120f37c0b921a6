public import Scenarios

/// One thing that can be tried: what is done, where, in which scenario. There are thousands, and each choice looks at all of them, so they
/// are not copied and know what they are asked for.
public final class Candidate: Sendable {
    /// What is done.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Two operations on the same thing change places: the first is held until the second has come.
        case invert
        /// A process is killed at an operation of its own.
        case kill
        /// One operation comes late.
        case delay
        /// Every operation of a kind comes late.
        case slow
        /// The shutdown is asked for at an operation: once more, or before the topology stands.
        case request
        /// A process is killed at an operation of another, or one that has children while everything waits.
        case orphan
        /// A process dies, and while its parent reacts the shutdown is asked for.
        case crash
        /// Several of these at once, drawn with the seed.
        case random
    }

    /// What is done.
    public let kind: Kind
    /// In which of the base scenarios, by place.
    public let base: Int
    /// What makes it alike to others: the kind of what is done and of where. One of each is tried before a second of any.
    public let likeness: String
    /// What is done, for people.
    public let text: String
    /// Less is tried sooner among candidates that are alike.
    let rank: Double
    /// How many siblings or children its process has: what can happen without them can happen among them, and more.
    let company: Int
    /// Where it happens.
    let operation: Operation
    /// Who must be left alone for it to happen as it was meant: whom it kills, and whose order it changes.
    let subjects: Set<Role>
    /// What it is made of, for one that is several at once.
    let parts: [Candidate]
    let faults: [Fault]
    let points: [NamedPoint]
    /// Where in the scenario it happens.
    let moment: Moment

    enum Moment: Sendable {
        /// From the request on.
        case window
        /// Before it: the request is made when it has happened.
        case before
        /// It is the request, made while the topology may still start.
        case request
        /// Before it, when everything has started and waits.
        case rest
        /// It is the request, made while others react to what happened when everything waited.
        case reaction
    }

    /// The step that waits for what comes before the request. What happens at rest happens some time after its beginning.
    static let step = "fault"

    /// Whose operation it is at.
    var actor: Role { operation.role }
    /// The same without its indices.
    var role: String { crew.role }
    /// Which of its process's threads it is in: what main and what the others do is often what races.
    let crew: Crew
    /// How late it makes its process in all.
    let lateness: Duration

    struct Crew: Hashable {
        let role: String
        let isMain: Bool
    }

    init(
        kind: Kind, base: Int, likeness: String, text: String, rank: Double, company: Int, operation: Operation,
        subjects: Set<Role>, faults: [Fault], points: [NamedPoint], moment: Moment, parts: [Candidate] = []
    ) {
        self.kind = kind
        self.base = base
        self.likeness = likeness
        self.text = text
        self.rank = rank
        self.company = company
        self.operation = operation
        self.subjects = subjects
        self.faults = faults
        self.points = points
        self.moment = moment
        self.parts = parts
        crew = Crew(role: operation.role.general, isMain: operation.thread.id == 0)
        lateness = faults.reduce(.zero) { sum, fault in
            switch fault.action {
            case .delay(let span): sum + span.upper * (fault.point?.window.times ?? 1)
            case .hold(_, let most): sum + most
            default: sum
            }
        }
    }

    /// The same, made of other things.
    private func with(kind: Kind, text: String, faults: [Fault], points: [NamedPoint], parts: [Candidate]) -> Candidate
    {
        Candidate(
            kind: kind, base: base, likeness: likeness, text: text, rank: rank, company: company, operation: operation,
            subjects: subjects, faults: faults, points: points, moment: moment, parts: parts)
    }

    /// The scenario that tries it.
    public func scenario(of base: Scenario, window: String) -> Scenario {
        var scenario = base
        scenario.name = "\(base.name)-\(kind.rawValue)"
        scenario.faults = faults
        scenario.points = points
        guard moment != .window, let name = faults.first?.name else { return scenario }
        let lastStart = base.lastStart(before: window) ?? 0
        scenario.steps = base.steps.enumerated().flatMap { index, step -> [Step] in
            var step = step
            if step.name == window {
                // The request was made already, by the fault that the scenario waits for.
                if moment == .request || moment == .reaction { step.omitRequest() }
                let wait = Step.Action.wait(.reached(name))
                return [Step(name: Self.step, action: wait, within: min(patience, step.within)), step]
            }
            guard moment == .request, index >= lastStart else { return [step] }
            if case .start(let roles, _) = step.action { step.action = .start(roles: roles, ready: false) }
            // Who is asked while it starts need not become ready any more.
            return step.isReadiness ? [] : [step]
        }
        return scenario
    }

    /// How long the request waits for what comes before it, which the reference saw so long after its beginning: where it does not come
    /// in this trial, the load should not go on for nothing.
    private var patience: Duration { .seconds(1) + .nanoseconds(operation.time) * 5 }

    /// Several at once. The first decides which steps the scenario has.
    /// - Parameter isOptional: whether those after the first may as well not happen.
    static func together(_ parts: [Candidate], as kind: Kind, isOptional: Bool) -> Candidate? {
        guard let first = parts.first else { return nil }
        if parts.count == 1, first.kind == kind { return first }
        let numbered = parts.enumerated().map { index, part in
            part.numbered(index + 1, isOptional: isOptional && index > 0)
        }
        return first.with(
            kind: kind, text: parts.map(\.text).joined(separator: "; "), faults: numbered.flatMap(\.faults),
            points: numbered.flatMap(\.points), parts: numbered)
    }

    /// The same, with names that others in its scenario do not have.
    private func numbered(_ number: Int, isOptional: Bool) -> Candidate {
        var (faults, points) = (faults, points)
        for index in points.indices { points[index].name += "-\(number)" }
        for index in faults.indices {
            faults[index].name += "-\(number)"
            faults[index].isOptional = isOptional
            if case .hold(let until, let most) = faults[index].action {
                faults[index].action = .hold(until: "\(until)-\(number)", atMost: most)
            }
        }
        return with(kind: kind, text: text, faults: faults, points: points, parts: parts)
    }

    /// Whether it happened, or the verdict says that it did not.
    /// - Parameter fired: the names of the faults that fired.
    func happened(_ fired: Set<String>) -> Bool {
        faults.allSatisfy { !$0.isOptional || fired.contains($0.name) }
    }
}

extension Step {
    /// Whether it waits for what processes tell of themselves: that they have started.
    var isReadiness: Bool {
        if case .wait(.log) = action { true } else { false }
    }

    /// Leaves it only to wait for the ends of those that are asked.
    mutating func omitRequest() {
        if case .stop(let roles, _) = action { action = .stop(roles: roles, signal: nil) }
    }
}
