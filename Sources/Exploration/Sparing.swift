public import Scenarios

/// What an exploration or a sweep leaves alone: what is known to follow from it is no news.
public struct Sparing: Sendable, Equatable {
    /// Roles that no signal is sent to and that are not stopped.
    public var roles: [RolePattern]
    /// Kinds of things that are not done.
    public var kinds: Set<Candidate.Kind>

    /// Leaves nothing alone, if nothing is named.
    public init(roles: [RolePattern] = [], kinds: Set<Candidate.Kind> = []) {
        self.roles = roles
        self.kinds = kinds
    }

    /// Whether something may be tried. Without `kill` nobody is killed, at whatever operation.
    func admits(_ candidate: Candidate) -> Bool {
        guard !kinds.contains(candidate.kind) else { return false }
        return candidate.faults.allSatisfy { fault in
            if kinds.contains(.kill), case .kill(_, let signal) = fault.action, !signal.canBeCaught { return false }
            guard let target = fault.victims else { return true }
            return !roles.contains { $0.meets(target) }
        }
    }

    /// Whether a role may be killed to see what others do about it.
    func admitsDeath(of role: Role) -> Bool {
        kinds.isDisjoint(with: [.kill, .crash]) && admits(.kill(roles: nil, signal: .kill), of: role)
    }

    /// Whether a fault may be put at a role's own point.
    func admits(_ action: Fault.Action, of role: Role) -> Bool {
        let point = Point(roles: RolePattern(role), place: .calls([]))
        let fault = Fault(name: "", action: action, trigger: .point(point))
        return fault.victims == nil || !roles.contains { $0.matches(role) }
    }
}

extension Fault {
    /// Whom it sends a signal to or keeps from running; nil for one that does neither.
    fileprivate var victims: RolePattern? {
        switch action {
        case .kill(let roles, _), .stop(let roles, _), .freeze(let roles, _), .starve(let roles, _, _),
            .memory(let roles, _):
            roles ?? point?.roles
        case .resume, .exhaust, .clock, .delay, .hold, .errno, .answer, .short, .poke, .close: nil
        @unknown default: point?.roles
        }
    }
}

extension RolePattern {
    /// Whether there can be a role that both match.
    fileprivate func meets(_ other: RolePattern) -> Bool {
        zip(segments.reversed(), other.segments.reversed()).allSatisfy { one, another in
            one.name == another.name && (one.index == nil || another.index == nil || one.index == another.index)
        }
    }
}
