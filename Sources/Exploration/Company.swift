import Scenarios

/// What is tried together in one trial, and what may still join it.
///
/// A trial that makes one operation late could as well have made others late, and many trials are spared. But delays add up, and two
/// of them can cancel each other: where both sides of a race are late, neither is later than the other. So all are on one side,
/// processes of one kind, and what one process and all of them together may be late is bounded.
struct Company {
    /// What one trial's delays may add to one process, and to all of them, were each to wait for the others: parts of what the shutdown may
    /// take, for a target that is right must not miss its deadlines by them.
    private static let ofOne = 0.2
    private static let ofAll = 0.4
    /// Of short deadlines the parts are small, of long ones they would be slow.
    private static let mostOfOne = Duration.milliseconds(900)
    private static let mostOfAll = Duration.milliseconds(1800)
    /// Two that are under way at once when the request comes were not farther apart than this.
    private static let horizon: Int64 = 200_000_000

    private static let mostRequests = 2
    private static let mostKills = 2

    private(set) var members: [Candidate]
    /// Whose operations are late.
    private let side: String
    private let ofOne: Duration
    private let ofAll: Duration
    private var late: [Role: Duration] = [:]

    /// - Parameters:
    ///   - first: what the trial is for.
    ///   - side: the kind of process of which operations may be late.
    ///   - deadline: what the shutdown may take.
    init(_ first: [Candidate], side: String, deadline: Duration) {
        members = first
        self.side = side
        // Who has lost somebody may wait for it until a time of its own is over.
        let share = first.contains { [.kill, .orphan].contains($0.kind) } ? 0.6 : 1
        ofOne = min(deadline * Self.ofOne, Self.mostOfOne) * share
        ofAll = min(deadline * Self.ofAll, Self.mostOfAll) * share
        for member in first { late[member.actor, default: .zero] += member.lateness }
    }

    /// Whether it may join.
    func admits(_ candidate: Candidate) -> Bool {
        guard let first = members.first, candidate.base == first.base, isInTime(candidate, first),
            members.allSatisfy({ !$0.isInWay(of: candidate) })
        else { return false }
        switch candidate.kind {
        case .delay:
            return candidate.role == side && late[candidate.actor, default: .zero] + candidate.lateness <= ofOne
                && late.values.reduce(.zero, +) + candidate.lateness <= ofAll
        case .request:
            return first.kind == .delay && members.count { $0.kind == .request } < Self.mostRequests
        case .kill:
            return first.kind == .kill && first.role == candidate.role
                && members.count { $0.kind == .kill } < Self.mostKills
        case .invert, .slow, .orphan, .random: return false
        }
    }

    /// Takes it in.
    mutating func add(_ candidate: Candidate) {
        members.append(candidate)
        late[candidate.actor, default: .zero] += candidate.lateness
    }

    /// The scenario has no steps for those that join. What comes late before the request is still under way then if the one that the
    /// request waits for comes soon after it, in another process.
    private func isInTime(_ candidate: Candidate, _ first: Candidate) -> Bool {
        switch candidate.moment {
        case .window: true
        case .before:
            first.moment == .before && first.actor != candidate.actor
                && (0..<Self.horizon).contains(first.time - candidate.time)
        case .request: false
        }
    }
}

extension Candidate {
    /// Whether another would change what this one is for, or be the same.
    fileprivate func isInWay(of other: Candidate) -> Bool {
        subjects.contains(other.actor) || (kind == other.kind && faults.first?.point == other.faults.first?.point)
    }
}
