public import Evidence
public import Scenarios
import Schedules

/// The error type of this module: what was attempted, and why it failed.
public struct ExplorationError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, why it failed, what to do.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Makes the schedule of a stored trial again: what was injected, where it was injected, and nothing left open.
///
/// A point is named by role, call, conditions and count, never by process ids or times, so it can be reached again in another run;
/// one that is not makes the replay inconclusive, and says which.
public enum Replay {
    /// More than a gate can hold of faults at points.
    private static let mostFaults = 200

    /// The scenario of a trial with each injection as a fault of its own.
    /// - Throws: `ExplorationError` when the records are no trial's, or hold too many injections.
    public static func scenario(of records: [Record]) throws(ExplorationError) -> Scenario {
        guard case .trial(let header)? = records.first?.event, header.format == Header.currentFormat else {
            throw ExplorationError("replay: the ledger does not begin with a trial record of this version's format")
        }
        var scenario = header.scenario
        let schedule = Schedule(of: scenario, seed: header.seed)
        let injections = records.compactMap { record -> Injection? in
            guard case .fault(let injection) = record.event, injection.failure == nil else { return nil }
            return injection
        }
        var faults: [Fault] = []
        for (fault, decision) in zip(scenario.faults, schedule.decisions) {
            faults += exact(fault, decision, injections.filter { $0.fault == fault.name })
        }
        guard faults.count <= mostFaults else {
            throw ExplorationError(
                "replay: the trial had \(faults.count) injections, and at most \(mostFaults) can be placed one by one")
        }
        scenario.faults = faults
        scenario.points = zip(
            scenario.points, schedule.decisions.dropFirst(schedule.decisions.count - scenario.points.count)
        )
        .map { named, decision in
            var named = named
            named.point.window.nth = Point.Range(decision.nth)
            return named
        }
        return scenario
    }

    /// One fault for each arrival at which it was injected; as it was, if it was injected nowhere.
    private static func exact(_ fault: Fault, _ decision: Schedule.Decision, _ injections: [Injection]) -> [Fault] {
        var fixed = fault
        fixed.action = drawn(fault.action, decision)
        guard let point = fault.point else {
            if case .time(_, let step) = fault.trigger, let after = decision.after {
                fixed.trigger = .time(after: Span(.nanoseconds(after)), step: step)
            }
            return [fixed]
        }
        var seen: Set<String> = []
        var exact: [Fault] = []
        for injection in injections {
            guard let nth = injection.nth, let role = injection.at?.role,
                seen.insert("\(role) \(nth)").inserted
            else { continue }
            var one = fixed
            var place = point
            // A process without a role is counted with the nearest role above it, which is what the pattern says already.
            place.roles = RolePattern(role)
            place.window.nth = Point.Range(nth)
            place.window.times = 1
            place.window.last = nil
            place.window.every = 1
            place.window.probability = nil
            one.trigger = .point(place)
            if !exact.isEmpty { one.name = "\(fault.name)/\(exact.count + 1)" }
            exact.append(one)
        }
        if !exact.isEmpty { return exact }
        var place = point
        place.window.nth = Point.Range(decision.nth)
        fixed.trigger = .point(place)
        return [fixed]
    }

    private static func drawn(_ action: Fault.Action, _ decision: Schedule.Decision) -> Fault.Action {
        let length = decision.length.map { Span(.nanoseconds($0)) }
        switch action {
        case .delay(let span): return .delay(length ?? span)
        case .stop(let roles, _): return .stop(roles: roles, time: length)
        case .freeze(let roles, _): return .freeze(roles: roles, time: length)
        case .exhaust(let roles, _): return .exhaust(roles: roles, time: length)
        case .starve(let roles, let share, let span): return .starve(roles: roles, share: share, time: length ?? span)
        case .short: return .short(Point.Range(decision.bytes))
        case .kill, .resume, .memory, .clock, .hold, .errno, .answer, .poke, .close: return action
        }
    }
}
