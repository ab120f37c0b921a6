import Scenarios

/// What is tried together in one trial, and what may still join it.
///
/// A trial that makes one operation late could as well have made others late, and many trials are spared. But delays add up, and two
/// of them can cancel each other: where both sides of a race are late, neither is later than the other. So all are on one side,
/// in the main threads of processes of one kind or in their other threads, and what one process and all of them together may be late
/// is bounded.
struct Company {
    /// What one trial's delays may add to one process, and to all of them, were each to wait for the others: parts of what the shutdown may
    /// take, for a target that is right must not miss its deadlines by them. In a ring of processes that wait for each other all of them
    /// do come one after the other, and a target has deadlines of its own inside the shutdown's.
    private static let ofOne = 0.2
    private static let ofAll = 0.3
    /// The parts of a long deadline would be slow.
    private static let mostOfOne = Duration.milliseconds(1000)
    private static let mostOfAll = Duration.milliseconds(1500)
    /// Who has lost somebody may wait for it until a time of its own is over, so the rest has less.
    private static let shareBesideKill = 0.6
    /// Two that are under way at once when the request comes were not farther apart than this.
    private static let horizon: Int64 = 200_000_000
    private static let mostMembers = 12
    private static let mostRequests = 2
    private static let mostKills = 2

    private(set) var members: [Candidate]
    /// Whose operations are late; nil as long as none is.
    private var side: Candidate.Crew?
    private let ofOne: Duration
    private let ofAll: Duration
    private var late: [Role: Duration] = [:]

    /// - Parameters:
    ///   - first: what the trial is for.
    ///   - deadline: what the shutdown may take.
    init(_ first: [Candidate], deadline: Duration) {
        members = first
        let share = first.contains { $0.isKill } ? Self.shareBesideKill : 1
        ofOne = min(deadline * Self.ofOne, Self.mostOfOne) * share
        ofAll = min(deadline * Self.ofAll, Self.mostOfAll) * share
        for member in first { count(member) }
    }

    /// Whether it is tried as if it were alone. Where somebody was killed, what is late may be late for nobody.
    static func isWhole(_ candidate: Candidate, among members: [Candidate]) -> Bool {
        candidate.kind != .delay || !members.contains { $0.isKill }
    }

    /// Whether it may join.
    func admits(_ candidate: Candidate) -> Bool {
        // What others do about a death is shown by nothing that has a part in it.
        guard let first = members.first, first.kind != .crash, candidate.base == first.base,
            isInTime(candidate, first),
            members.count < Self.mostMembers,
            members.allSatisfy({ !$0.isInWay(of: candidate) })
        else { return false }
        switch candidate.kind {
        case .delay:
            return (side ?? candidate.crew) == candidate.crew
                && late[candidate.actor, default: .zero] + candidate.lateness <= ofOne
                && late.values.reduce(.zero, +) + candidate.lateness <= ofAll
        case .request: return first.kind == .delay && members.count { $0.kind == .request } < Self.mostRequests
        case .kill:
            return first.kind == .kill && first.role == candidate.role
                && (!first.isOfSibling(of: candidate) || first.isAtSamePlace(as: candidate))
                && members.count { $0.kind == .kill } < Self.mostKills
        case .invert, .slow, .orphan, .crash, .random: return false
        }
    }

    /// Takes it in.
    mutating func add(_ candidate: Candidate) {
        members.append(candidate)
        count(candidate)
    }

    private mutating func count(_ candidate: Candidate) {
        guard candidate.lateness > .zero else { return }
        late[candidate.actor, default: .zero] += candidate.lateness
        side = candidate.crew
    }

    /// The scenario has no steps for those that join. What comes late before the request is still under way then if the one that the
    /// request waits for comes soon after it, in another process.
    private func isInTime(_ candidate: Candidate, _ first: Candidate) -> Bool {
        switch candidate.moment {
        case .window: true
        case .before:
            first.moment == .before && first.actor != candidate.actor
                && (candidate.kind == .kill
                    || (0..<Self.horizon).contains(first.operation.time - candidate.operation.time))
        case .request, .rest, .reaction: false
        }
    }
}

extension Candidate {
    /// Whether two processes of one parent are concerned. Were they to die at different places, none may be left that the death of the
    /// one could harm. At the same place only the one dies that comes there first, whichever that is, if the other then waits.
    fileprivate func isOfSibling(of other: Candidate) -> Bool {
        guard let parent = actor.ancestors.first else { return false }
        return parent == other.actor.ancestors.first
    }

    /// Whether the one is at what the other is at in a process of the same kind.
    fileprivate func isAtSamePlace(as other: Candidate) -> Bool {
        operation.kind == other.operation.kind && moment == other.moment
            && operation.point.window == other.operation.point.window
    }

    fileprivate var isKill: Bool { kind == .kill || kind == .orphan }

    /// Whether another would change what this one is for, or be the same.
    fileprivate func isInWay(of other: Candidate) -> Bool {
        if subjects.contains(other.actor) { return true }
        // Who is killed has nobody of its kind who could be late as if nothing were.
        if isKill, other.kind == .delay, subjects.contains(where: { $0.general == other.role }) { return true }
        return kind == other.kind && faults.first?.point == other.faults.first?.point
    }
}
