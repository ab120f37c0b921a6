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
    public private(set) var kind: Kind
    /// In which of the base scenarios, by place.
    public let base: Int
    /// What makes it alike to others: the kind of what is done and of where. One of each is tried before a second of any.
    public let likeness: String
    /// What is done, for people.
    public private(set) var text: String
    /// Less is tried sooner among candidates that are alike.
    let rank: Double
    /// How many siblings or children its process has: what can happen without them can happen among them, and more.
    let company: Int
    /// Where it happens.
    let operation: Operation
    /// Who must be left alone for it to happen as it was meant: whom it kills, and whose order it changes.
    let subjects: Set<Role>
    /// What it is made of, for one that is several at once.
    var parts: [Candidate] = []
    var faults: [Fault]
    var points: [NamedPoint]
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

    /// Several at once. The first decides which steps the scenario has.
    /// - Parameter isOptional: whether those after the first may as well not happen.
    static func together(_ parts: [Candidate], as kind: Kind, isOptional: Bool) -> Candidate? {
        guard let first = parts.first else { return nil }
        if parts.count == 1, first.kind == kind { return first }
        var whole = first
        whole.parts = parts.enumerated().map { index, part in
            part.numbered(index + 1, isOptional: isOptional && index > 0)
        }
        whole.faults = whole.parts.flatMap(\.faults)
        whole.points = whole.parts.flatMap(\.points)
        whole.kind = kind
        whole.text = parts.map(\.text).joined(separator: "; ")
        return whole
    }

    /// The same, with names that others in its scenario do not have.
    private func numbered(_ number: Int, isOptional: Bool) -> Candidate {
        var part = self
        for index in part.points.indices { part.points[index].name += "-\(number)" }
        for index in part.faults.indices {
            part.faults[index].name += "-\(number)"
            part.faults[index].isOptional = isOptional
            if case .hold(let until, let most) = part.faults[index].action {
                part.faults[index].action = .hold(until: "\(until)-\(number)", atMost: most)
            }
        }
        return part
    }

    /// Whether it happened, or the verdict says that it did not.
    /// - Parameter fired: the names of the faults that fired.
    func happened(_ fired: Set<String>) -> Bool {
        faults.allSatisfy { !$0.isOptional || fired.contains($0.name) }
    }

    /// Whose operation it is at.
    var actor: Role { operation.role }
    /// The same without its indices.
    var role: String { operation.role.general }
    /// Which of its process's threads it is in: what main and what the others do is often what races.
    var crew: Crew { Crew(role: role, isMain: operation.thread.id == 0) }

    struct Crew: Hashable {
        let role: String
        let isMain: Bool
    }

    /// How late it makes its process in all.
    var lateness: Duration {
        faults.reduce(.zero) { sum, fault in
            switch fault.action {
            case .delay(let span): sum + span.upper * (fault.point?.window.times ?? 1)
            case .hold(_, let most): sum + most
            default: sum
            }
        }
    }
}
