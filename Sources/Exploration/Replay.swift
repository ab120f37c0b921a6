public import Evidence
public import Scenarios
import Schedules

/// The error type of this module: what was attempted, and why it failed.
public struct ExplorationError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, why it failed, what to do.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Makes the schedule of a stored trial again: what was injected, where it was injected, and nothing left open. An injection that
/// failed is left out; a hold whose bound passed is the delay that it was.
///
/// A point is named by role, call, conditions and count, never by process ids or times, so it can be reached again in another run;
/// one that is not makes the replay inconclusive, and says which.
public enum Replay {
    /// More than a gate can hold of faults at points.
    private static let mostFaults = 200

    /// The scenario of a trial with its faults at exactly the places where they were injected.
    /// - Throws: `ExplorationError` when the records are no trial's, or hold too many injections.
    public static func scenario(of records: [Record]) throws(ExplorationError) -> Scenario {
        guard case .trial(let header)? = records.first?.event, header.format == Header.currentFormat else {
            throw ExplorationError("replay: the ledger does not begin with a trial record of this version's format")
        }
        var scenario = header.scenario
        let schedule = Schedule(of: scenario, seed: header.seed)
        let injections = records.compactMap { record -> Injection? in
            guard case .fault(let injection) = record.event else { return nil }
            return injection
        }
        var faults: [Fault] = []
        var failed: [Fault] = []
        for (fault, decision) in zip(scenario.faults, schedule.decisions) {
            var fixed = fault
            fixed.action = drawn(fault.action, decision)
            let own = injections.filter { $0.fault == fault.name }
            let exact = exact(fixed, decision, own)
            if exact.isEmpty { failed.append(fixed) }
            faults += exact
        }
        guard faults.count <= mostFaults else {
            throw ExplorationError(
                "replay: the trial had \(faults.count) injections, and at most \(mostFaults) can be placed one by one")
        }
        // A fault that could not be injected has done nothing; but a schedule of nothing else would say nothing.
        let isAnyLeft = !faults.isEmpty
        scenario.faults = isAnyLeft ? faults : failed
        scenario.points = zip(
            scenario.points, schedule.decisions.dropFirst(schedule.decisions.count - scenario.points.count)
        )
        .map { named, decision in
            var named = named
            named.point.window.nth = Point.Range(decision.nth)
            return named
        }
        return isAnyLeft && !failed.isEmpty ? scenario.keeping(faults) : scenario
    }

    /// The fault at exactly the arrivals at which it was injected: one for each role where they follow each other as its window
    /// says, one for each arrival otherwise. As it was, if it was injected nowhere; none, if every injection failed.
    private static func exact(_ fault: Fault, _ decision: Schedule.Decision, _ injections: [Injection]) -> [Fault] {
        var fixed = fault
        guard let point = fault.point else {
            if case .time(_, let step) = fault.trigger, let after = decision.after {
                fixed.trigger = .time(after: Span(.nanoseconds(after)), step: step)
            }
            return !injections.isEmpty && injections.allSatisfy({ $0.failure != nil }) ? [] : [fixed]
        }
        let arrivals = Arrival.all(injections)
        guard !arrivals.isEmpty else {
            var place = point
            place.window.nth = Point.Range(decision.nth)
            fixed.trigger = .point(place)
            return [fixed]
        }
        return placed(fault, point, arrivals)
    }

    /// More arrivals of one role are not taken apart by their calls: a series that began at one of several calls goes on at any.
    private static let mostApart = 12

    /// The fault at the arrivals of its injections.
    private static func placed(_ fault: Fault, _ point: Point, _ arrivals: [Arrival]) -> [Fault] {
        var exact: [Fault] = []
        func add(_ arrivals: [Arrival], _ action: Fault.Action) {
            let name = exact.isEmpty ? fault.name : "\(fault.name)/\(exact.count + 1)"
            exact.append(Fault(name: name, action: action, trigger: .point(point.pinned(to: arrivals))))
        }
        for role in Set(arrivals.map(\.role)).sorted(by: { $0.description < $1.description }) {
            let done = arrivals.filter { $0.role == role && $0.isDone }.sorted { $0.nth < $1.nth }
            let isRegular =
                point.window.probability == nil
                && zip(done, done.dropFirst()).allSatisfy { $1.nth - $0.nth == point.window.every }
            // Which of several calls each was at is known only one by one.
            let isApart = done.count <= Self.mostApart && done.allSatisfy { $0.nthOfCall != nil }
            if isRegular, !isApart, !done.isEmpty {
                add(done, fault.action)
            } else {
                for arrival in done { add([arrival], fault.action) }
            }
            // What a hold was when its bound passed before what it waited for came.
            guard case .hold(_, let most) = fault.action else { continue }
            for arrival in arrivals where arrival.role == role && arrival.hasExpired {
                add([arrival], .delay(Span(most)))
            }
        }
        return exact
    }

    /// One arrival at a fault's point. A hold has two records of one: when it began, and how it ended.
    fileprivate struct Arrival {
        let role: Role
        let nth: Int
        let call: String?
        let nthOfCall: Int?
        var hasBegun = false
        var hasFailed = false
        var isDone: Bool { !hasFailed }
        var hasExpired: Bool { hasBegun && hasFailed }

        static func all(_ injections: [Injection]) -> [Arrival] {
            var arrivals: [Arrival] = []
            for injection in injections {
                guard let nth = injection.nth, let role = injection.at?.role else { continue }
                let place = arrivals.firstIndex { $0.nth == nth && $0.role == role } ?? arrivals.count
                if place == arrivals.count {
                    arrivals.append(
                        Arrival(role: role, nth: nth, call: injection.call, nthOfCall: injection.nthOfCall))
                }
                if injection.failure == nil {
                    arrivals[place].hasBegun = true
                } else {
                    arrivals[place].hasFailed = true
                }
            }
            return arrivals
        }
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

extension Point {
    /// The point at exactly these arrivals of one role, which follow each other as its window says. Of several calls the one is meant
    /// that it was, counted by itself: the others may come in another order the next time.
    fileprivate func pinned(to arrivals: [Replay.Arrival]) -> Point {
        guard let first = arrivals.first else { return self }
        var point = self
        // A process without a role is counted with the nearest role above it, which is what the pattern says already.
        point.roles = RolePattern(first.role)
        point.window.nth = Range(first.nth)
        point.window.times = arrivals.count
        point.window.last = nil
        if arrivals.count == 1 { point.window.every = 1 }
        point.window.probability = nil
        if case .calls(let names) = place, names.count > 1, arrivals.count == 1, let call = first.call,
            let nth = first.nthOfCall
        {
            point.place = .calls([call])
            point.window.nth = Range(nth)
        }
        return point
    }
}
