/// How little what a candidate does is like anything tried before.
struct Novelty {
    private var tried: [String: Int] = [:]
    private var triedInBase: [String: Int] = [:]
    private var triedOfRole: [String: Int] = [:]
    private var wentAlong: [String: Int] = [:]

    /// The least is tried first.
    func order(_ candidate: Candidate) -> (Int, Int, Int, Double) {
        (count(candidate), share(candidate), -candidate.company, candidate.rank)
    }

    /// Counts a candidate as tried.
    mutating func note(_ candidate: Candidate, isAlong: Bool) {
        add(1, candidate)
        if isAlong { wentAlong[place(candidate), default: 0] += 1 }
    }

    /// What went along and did not happen was not tried; but that it went along is no reason to take it next.
    mutating func forget(_ candidate: Candidate) { add(-1, candidate) }

    private mutating func add(_ number: Int, _ candidate: Candidate) {
        tried[candidate.likeness, default: 0] += number
        triedOfRole["\(candidate.kind) \(candidate.role)", default: 0] += number
        triedInBase["\(candidate.base) \(candidate.likeness)", default: 0] += number
    }

    private func place(_ candidate: Candidate) -> String { "\(candidate.base) \(candidate.kind) \(candidate.text)" }

    /// How often its kind of process had a turn: one that does much must not crowd out one that does little.
    private func share(_ candidate: Candidate) -> Int { triedOfRole["\(candidate.kind) \(candidate.role)"] ?? 0 }

    /// How often what is like it was tried, above all in its own base, and itself in company; what others have little to do with can
    /// wait as long.
    private func count(_ candidate: Candidate) -> Int {
        2 * (triedInBase["\(candidate.base) \(candidate.likeness)"] ?? 0) + (tried[candidate.likeness] ?? 0)
            + (wentAlong[place(candidate)] ?? 0) + 3 * candidate.concern.rawValue
    }
}
