public import Evidence
public import Scenarios

/// A sweep: trials that together visit every externally visible point of a window, one fault each.
///
/// A reference trial lists the points: each call of a process with a role, from the step at which the window begins, that another
/// process could notice. A call that changes nothing, as one on a descriptor that is not open, is none. A fault between two of them has the same effect as at the next one, for nothing that anyone else can
/// see has happened meanwhile: so one place for each is all there are. (A fault that depends on time, as a delay does, can tell
/// places between them apart by their time alone; the sweep does not.)
public struct Sweep: Sendable {
    /// A place: the n-th time since the window began that a role enters a call.
    public struct Place: Codable, Sendable, Hashable {
        /// Who.
        public var role: Role
        /// What.
        public var call: String
        /// Which time, from 1.
        public var nth: Int
        /// Makes a place.
        public init(role: Role, call: String, nth: Int) {
            self.role = role
            self.call = call
            self.nth = nth
        }
    }

    private static let recorded = "visible"
    /// What the fault of a sweep's trial is called.
    public static let fault = "sweep"

    /// The scenario, without faults of its own.
    public let base: Scenario
    /// The step with which the window begins.
    public let window: String
    /// Whose points; nil means every role's.
    public let roles: RolePattern?
    /// What is left alone.
    public let sparing: Sparing

    /// Makes a sweep.
    /// - Throws: `ExplorationError` when the scenario has no such step.
    public init(
        _ scenario: Scenario, window: String, roles: RolePattern?, sparing: Sparing = Sparing()
    ) throws(ExplorationError) {
        guard scenario.steps.contains(where: { $0.name == window }) else {
            let names = scenario.steps.map { "'\($0.name)'" }.joined(separator: ", ")
            throw ExplorationError("sweep: '\(scenario.name)' has no step '\(window)'; it has \(names)")
        }
        var base = scenario
        let own = Set(scenario.faults.map(\.name))
        // Steps that wait for the scenario's own faults would wait in vain.
        base.steps.removeAll { step in
            if case .wait(.reached(let name)) = step.action { own.contains(name) } else { false }
        }
        base.faults = []
        self.base = base
        self.window = window
        self.roles = roles
        self.sparing = sparing
    }

    /// The trial that lists the points.
    public var reference: Scenario {
        var scenario = base.recording(Self.recorded, VisibleCalls.effects, in: .init(times: nil, after: window))
        scenario.name = "reference"
        return scenario
    }

    /// The places that a reference trial's ledger shows, in the order in which they were reached.
    public func places(in records: [Record]) -> [Place] {
        var counts: [String: Int] = [:]
        return records.compactMap { record in
            guard case .point(let reached) = record.event, reached.point.hasPrefix("\(Self.recorded) "),
                let role = reached.at.role, let call = reached.call
            else { return nil }
            counts["\(role) \(call)", default: 0] += 1
            guard roles?.matches(role) ?? true else { return nil }
            return Place(role: role, call: call, nth: counts["\(role) \(call)"] ?? 1)
        }
    }

    /// The trial that does something at one place; nil for what cannot be done there.
    ///
    /// How often a process comes by a place depends on how fast it and the others are. Where it was not reached, it is tried again
    /// in turns as it is, with everybody else a little late at all they do, and with itself late at all but the calls that count.
    public func scenario(_ action: Fault.Action, at place: Place, attempt: Int = 1) -> Scenario? {
        let call = SystemCalls.call(place.call)
        guard sparing.admits(action, of: place.role) else { return nil }
        switch action {
        case .close where call?.descriptor == nil: return nil
        case .errno where call?.returns == false && !place.call.hasPrefix("execve"): return nil
        default: break
        }
        var scenario = base
        scenario.name = "\(action.kind)-\(place.role.general)"
        let point = Point(
            roles: RolePattern(place.role), place: .calls([place.call]),
            conditions: Conditions(isEffective: VisibleCalls.mayBeIdle(place.call)),
            window: .init(nth: Point.Range(place.nth), after: window))
        scenario.faults = [Fault(name: Self.fault, action: action, trigger: .point(point))]
        if attempt % 3 != 1 {
            scenario.faults += late(place, others: attempt % 3 == 2, 1 + attempt % Self.mostDelay)
        }
        return scenario
    }

    /// The longest that a process is delayed in all, in milliseconds: what has much to do must not miss its deadline by it.
    private static let latest = 1000
    /// The longest one call is delayed, in milliseconds.
    private static let mostDelay = 8

    /// Every visible call of every other role, or every one of its own but those that count, comes late.
    private func late(_ place: Place, others: Bool, _ delay: Int) -> [Fault] {
        roleNames.compactMap { name in
            guard RolePattern(place.role).matches(name) != others else { return nil }
            let calls = VisibleCalls.effects.filter { others || $0 != place.call }
            let point = Point(
                roles: RolePattern(name), place: .calls(calls), conditions: Conditions(isEffective: true),
                window: .init(times: Self.latest / delay, after: window))
            return Fault(
                name: "late \(name)", action: .delay(Span(.milliseconds(delay))), trigger: .point(point),
                isOptional: true)
        }
    }

    /// The roles there can be, as far as the topology says.
    private var roleNames: [Role] {
        let tops = base.topology.processes.map(\.role)
        let children = base.topology.children.flatMap { rule in
            tops.filter(rule.parent.matches).flatMap { top in (0..<(rule.count ?? 1)).map { top.child(rule.name, $0) } }
        }
        return tops + children
    }
}
