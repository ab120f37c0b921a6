import Evidence
import Scenarios

/// A process dies while everything waits, and what others do then. No trial without a fault shows that, so it has a trace of its own;
/// and supervisors most often lose a request that comes while they start somebody anew.
enum Reaction {
    /// What the death is called.
    static let crash = "crash"
    private static let request = "request"
    /// How long after the last step before the request everything is taken to wait.
    private static let rest = Duration.milliseconds(200)
    /// How long others have to react before the request, where they are only watched.
    private static let length = Duration.seconds(1)
    /// How many of a reaction's operations are looked at: what comes later is hardly part of it.
    private static let most = 200

    /// One process dies when everything waits.
    static func killAtRest(_ kind: Candidate.Kind, _ victim: Role, of candidates: Candidates) -> Candidate {
        let operation = Operation(
            role: victim, call: "", object: nil, kind: "\(victim.general) at rest",
            point: Point(roles: RolePattern(victim), place: .calls([])), time: 2 * nanoseconds(rest),
            thread: .init(pid: 0, id: 0), position: 0, concern: .shared)
        return Candidate(
            kind: kind, base: candidates.base, likeness: "\(kind.rawValue) \(operation.kind)",
            text: "kill \(victim) while everything waits, before the request", rank: -1,
            company: candidates.company(operation), operation: operation, subjects: [victim],
            faults: [death(of: victim, kind.rawValue)], points: [], moment: .rest)
    }

    private static func death(of victim: Role, _ name: String) -> Fault {
        Fault(
            name: name, action: .kill(roles: RolePattern(victim), signal: .kill),
            trigger: .time(after: Span(rest), step: Candidate.step))
    }

    /// Whose death others may react to: one of each kind of process that has a parent.
    static func victims(_ trace: Trace) -> [Role] {
        var seen: Set<String> = []
        return trace.living.sorted { $0.description < $1.description }.filter { role in
            role.segments.count > 1 && seen.insert(role.general).inserted
        }
    }

    /// The trial that shows what others do when one has died; nil where no signal asks for the shutdown.
    static func recording(_ base: Scenario, window: String, victim: Role) -> Scenario? {
        guard let request = base.request(at: window) else { return nil }
        var scenario = base.recording(
            Trace.Part.reaction.rawValue, VisibleCalls.effects,
            in: .init(times: nil, after: crash, before: Self.request))
        scenario.name += "-reaction"
        scenario.faults = [
            Fault(
                name: Self.request, action: .kill(roles: request.roles, signal: request.signal),
                trigger: .time(after: Span(rest + length), step: Candidate.step)),
            death(of: victim, crash),
        ]
        scenario.steps = base.steps.flatMap { step -> [Step] in
            guard step.name == window else { return [step] }
            var step = step
            step.omitRequest()
            let wait = Step.Action.wait(.reached(Self.request))
            return [Step(name: Candidate.step, action: wait, within: .seconds(10)), step]
        }
        return scenario
    }

    /// The request comes at an operation of the victim's parent, or of somebody that it has started meanwhile, which is late: what others
    /// do about the request they do before it.
    /// - Parameters:
    ///   - records: the ledger of the trial that `recording` describes.
    ///   - known: who was there before.
    static func candidates(
        _ records: [Record], base: Int, _ scenario: Scenario, window: String, victim: Role, known: Set<Role>
    ) -> [Candidate] {
        guard let request = scenario.request(at: window), let parent = victim.ancestors.first,
            let time = records.first(where: { isDeath($0.event) })?.time
        else { return [] }
        let trace = Trace(records, window: window)
        let maker = Candidates(base: base, scenario: scenario, window: window, trace: trace)
        let own = trace.reaction.prefix(most).filter { operation in
            operation.role == parent
                || !known.contains(operation.role) && operation.role.ancestors.contains(parent)
        }
        .map { operation in
            var operation = operation
            operation.time -= time
            return operation
        }
        return RankedOperation.all(own, VisibleCalls.effects).map { place in
            let operation = place.operation
            // Whom the parent is about to start is on no list yet.
            let rank = place.rank - (VisibleCalls.births.contains(operation.call) ? 1 : 0)
            return Candidate(
                kind: .crash, base: base, likeness: "crash \(place.likeness)",
                text: "kill \(victim) while everything waits, then ask at \(operation.text) and delay it", rank: rank,
                company: maker.company(operation), operation: operation, subjects: [victim],
                faults: [
                    Fault(
                        name: "ask", action: .kill(roles: request.roles, signal: request.signal),
                        trigger: .point(operation.point)),
                    Fault(
                        name: "late", action: .delay(Span(Candidates.lateness)), trigger: .point(operation.point),
                        isOptional: true),
                    death(of: victim, crash),
                ], points: [], moment: .reaction)
        }
    }

    private static func isDeath(_ event: Event) -> Bool {
        guard case .fault(let injection) = event else { return false }
        return injection.fault == crash && injection.failure == nil
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 { Int64(duration / .nanoseconds(1)) }
}

extension Scenario {
    /// Whom the window's step asks to stop, and by which signal; nil where it does it in another way.
    func request(at window: String) -> (roles: RolePattern, signal: Signal)? {
        for step in steps where step.name == window {
            switch step.action {
            case .stop(let roles, let signal?), .signal(let roles, let signal): return (roles, signal)
            default: return nil
            }
        }
        return nil
    }

    /// The place of the last step before the window that starts something; nil where there is none.
    func lastStart(before window: String) -> Int? {
        steps.prefix { $0.name != window }.lastIndex { if case .start = $0.action { true } else { false } }
    }
}
