public import Scenarios

/// One thing that can be tried: what is done, where, in which scenario.
public struct Candidate: Sendable {
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
        /// A process is killed at an operation of another.
        case orphan
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
    /// Whose operation it is at: the role without its indices.
    let role: String
    /// How many siblings or children its process has: what can happen without them can happen among them, and more.
    let company: Int
    /// How much others have to do with where it is.
    let concern: Operation.Concern
    /// What it is made of, for one that is several at once.
    var members: [String] = []
    /// What those do, for people.
    var places: [String] = []
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
    }

    /// The scenario that tries it.
    public func scenario(of base: Scenario, window: String) -> Scenario {
        var scenario = base
        scenario.name = "\(base.name)-\(kind.rawValue)"
        scenario.faults = faults
        scenario.points = points
        guard moment != .window, let name = faults.first?.name else { return scenario }
        scenario.steps = base.steps.flatMap { step -> [Step] in
            var step = step
            if moment == .request {
                if case .start(let roles, _) = step.action { step.action = .start(roles: roles, ready: false) }
                // The request was made already, by the fault that the scenario waits for.
                if case .stop(let roles, _) = step.action { step.action = .stop(roles: roles, signal: nil) }
            }
            return step.name == window
                ? [Step(name: "fault", action: .wait(.reached(name)), within: step.within), step] : [step]
        }
        return scenario
    }

    /// Several at once, if they can be: their faults may not need different steps.
    static func together(_ parts: [Candidate], as kind: Kind) -> Candidate? {
        guard let first = parts.first, parts.allSatisfy({ $0.base == first.base && $0.moment == .window }) else {
            return nil
        }
        var faults: [Fault] = []
        var points: [NamedPoint] = []
        for (index, part) in parts.enumerated() {
            for var point in part.points {
                point.name += "-\(index + 1)"
                points.append(point)
            }
            for var fault in part.faults {
                fault.name += "-\(index + 1)"
                if case .hold(let until, let most) = fault.action {
                    fault.action = .hold(until: "\(until)-\(index + 1)", atMost: most)
                }
                faults.append(fault)
            }
        }
        var whole = Candidate(
            kind: kind, base: first.base, likeness: kind.rawValue, text: parts.map(\.text).joined(separator: "; "),
            rank: 0,
            role: first.role, company: first.company, concern: .shared,
            faults: faults, points: points, moment: .window)
        whole.members = parts.map(\.likeness)
        whole.places = parts.map(\.text)
        return whole
    }
}
