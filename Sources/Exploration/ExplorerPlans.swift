import Scenarios

// How an explorer chooses where it goes by what is still unseen.
extension Explorer {
    /// What is least tried of the kind whose turn it is, and what can go along with it, of the base where this is the most for what
    /// it costs.
    mutating func unseen() -> Purpose? {
        for _ in Self.turns {
            let kind = Self.turns[turn % Self.turns.count]
            turn += 1
            if kind == .crash, let reaction = reaction() { return reaction }
            // Asked is asked: while the topology starts it can be at one place only, later at several in one trial.
            let asksAtOnce = kind == .request && turn / Self.turns.count % 4 != 3
            let plans = bases.indices.compactMap { plan(kind, base: $0, asksAtOnce: asksAtOnce) }
            // Of what shows as much that is new the cheaper comes first; and where much is alike a base that offers little would
            // never have its turn.
            let ranked = plans.map {
                (plan: $0, worth: $0.worth / Double(1 + turns(kind, base: $0.base)) / (cost[$0.base] ?? 1))
            }
            guard let best = ranked.max(by: { $0.worth < $1.worth })?.plan else { continue }
            turnsOfBase[kind, default: [:]][best.base, default: 0] += 1
            for place in best.first.sorted(by: >) { queues[kind]?.remove(at: place) }
            novelty = best.novelty
            return Candidate.together(best.members, as: kind, isOptional: true).map(Purpose.candidate)
        }
        // Everything was tried once: several at a time.
        return drawn().map(Purpose.candidate)
    }

    /// The trial that shows what others do about a death. There is one of each kind of process, every other time that it is its turn.
    private mutating func reaction() -> Purpose? {
        let isNext = queues[.crash]?.isEmpty != false || turn / Self.turns.count % 2 == 1
        guard isNext, let base = victims.filter({ !$0.value.isEmpty && !broken.contains($0.key) }).keys.min(),
            let victim = victims[base]?.removeFirst()
        else { return nil }
        underWay += 1
        return .reaction(base: base, victim: victim)
    }

    private func turns(_ kind: Candidate.Kind, base: Int) -> Int { turnsOfBase[kind]?[base] ?? 0 }

    /// A trial there could be.
    private struct Plan {
        let base: Int
        /// Where those that it is for are in their queue.
        var first: [Int] = []
        var members: [Candidate] = []
        /// What would be known to be tried after it.
        var novelty: Novelty
        var worth = 0.0

        mutating func take(_ candidate: Candidate) {
            worth += novelty.worth(candidate)
            novelty.note(candidate)
        }
    }

    private func plan(_ kind: Candidate.Kind, base: Int, asksAtOnce: Bool) -> Plan? {
        var plan = Plan(base: base, novelty: novelty)
        for _ in 0..<(asksAtOnce ? Self.requestsAtOnce : 1) {
            let fits = { (place: Int, candidate: Candidate) in
                candidate.base == base && !plan.first.contains(place) && (!asksAtOnce || candidate.moment == .window)
            }
            guard var best = best(kind, plan.novelty, where: fits), var candidate = queues[kind]?[best] else { break }
            // What happens before the request needs a trial of its own; what comes after it can go along.
            if kind == .delay || kind == .kill && turns(kind, base: base) % 2 == 1,
                let early = self.best(kind, plan.novelty, where: { fits($0, $1) && $1.moment == .before }),
                let other = queues[kind]?[early], plan.novelty.count(other) <= plan.novelty.count(candidate)
            {
                (best, candidate) = (early, other)
            }
            plan.first.append(best)
            plan.members.append(candidate)
            plan.take(candidate)
        }
        guard !plan.members.isEmpty else { return nil }
        let deadline = bases[base].steps.first { $0.name == window }?.within ?? .zero
        var company = Company(plan.members, deadline: deadline)
        let join = { (kind: Candidate.Kind) -> Bool in
            guard let best = self.best(kind, plan.novelty, where: { company.admits($1) }),
                let companion = self.queues[kind]?[best]
            else { return false }
            company.add(companion)
            plan.novelty.noteCompanion(companion)
            if Company.isWhole(companion, among: company.members) { plan.take(companion) }
            return true
        }
        for kind in [Candidate.Kind.kill, .request, .delay] { while join(kind) {} }
        plan.members = company.members
        return plan
    }

    /// The place in its queue of the least tried of a kind.
    private func best(
        _ kind: Candidate.Kind, _ novelty: Novelty, where fits: (Int, Candidate) -> Bool
    ) -> Int? {
        guard let queue = queues[kind] else { return nil }
        return queue.indices.filter { fits($0, queue[$0]) }
            .map { (place: $0, order: novelty.order(queue[$0])) }
            .min { $0.order < $1.order }?.place
    }
}
