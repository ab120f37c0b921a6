import Scenarios

/// How little what a candidate does is like anything tried before.
struct Novelty {
    private struct Place: Hashable {
        let base: Int
        let what: String
    }

    private struct Share: Hashable {
        let kind: Candidate.Kind
        let role: String
    }

    private struct Line: Hashable {
        let base: Int
        let role: Role
        let isMain: Bool
        let isStart: Bool
    }

    /// Operations of one thread that are no farther from each other than this are late together, whichever of them is delayed.
    private static let nearness = 2

    private var tried: [String: Int] = [:]
    private var triedInBase: [Place: Int] = [:]
    private var triedOfRole: [Share: Int] = [:]
    private var wentAlong: [Place: Int] = [:]
    private var late: [Line: Set<Int>] = [:]

    /// The least is tried first.
    func order(_ candidate: Candidate) -> (Int, Int, Int, Double) {
        (count(candidate), share(candidate), -candidate.company, candidate.rank)
    }

    /// How much is new in a candidate: all of it, or less the more often what is like it was tried.
    func worth(_ candidate: Candidate) -> Double { 1 / Double(1 + max(0, count(candidate))) }

    /// Counts a candidate as tried.
    mutating func note(_ candidate: Candidate) {
        add(1, candidate)
        guard candidate.kind == .delay else { return }
        late[line(candidate), default: []].insert(candidate.operation.position)
    }

    /// Counts that a candidate went along with others: it should not always be the next to do so.
    mutating func noteCompanion(_ candidate: Candidate) {
        wentAlong[Place(base: candidate.base, what: candidate.text), default: 0] += 1
    }

    /// What did not happen was not tried.
    mutating func forget(_ candidate: Candidate) {
        add(-1, candidate)
        if candidate.kind == .delay { late[line(candidate)]?.remove(candidate.operation.position) }
    }

    private mutating func add(_ number: Int, _ candidate: Candidate) {
        tried[candidate.likeness, default: 0] += number
        triedOfRole[Share(kind: candidate.kind, role: candidate.role), default: 0] += number
        triedInBase[Place(base: candidate.base, what: candidate.likeness), default: 0] += number
    }

    /// How often its kind of process had a turn: one that does much must not crowd out one that does little.
    private func share(_ candidate: Candidate) -> Int {
        triedOfRole[Share(kind: candidate.kind, role: candidate.role)] ?? 0
    }

    /// How often what is like it was tried, above all in its own base, and itself in company; what others have little to do with can
    /// wait as long, and what is late with another a little.
    func count(_ candidate: Candidate) -> Int {
        2 * (triedInBase[Place(base: candidate.base, what: candidate.likeness)] ?? 0) + (tried[candidate.likeness] ?? 0)
            + (wentAlong[Place(base: candidate.base, what: candidate.text)] ?? 0) + 3
            * candidate.operation.concern.rawValue
            + (isNear(candidate) ? 1 : 0)
            // A death that leaves children alone is where most can be lost, and there are few of them.
            - (candidate.kind == .orphan && candidate.moment == .rest ? 1 : 0)
    }

    private func isNear(_ candidate: Candidate) -> Bool {
        guard candidate.kind == .delay, let late = late[line(candidate)] else { return false }
        let position = candidate.operation.position
        return (position - Self.nearness...position + Self.nearness).contains(where: late.contains)
    }

    private func line(_ candidate: Candidate) -> Line {
        Line(
            base: candidate.base, role: candidate.actor, isMain: candidate.crew.isMain,
            isStart: candidate.moment != .window)
    }
}
