import Checkers

/// What an exploration knows could be tried, and what of it was.
public struct ExplorationCoverage: Sendable {
    /// One kind of thing.
    public struct Part: Codable, Sendable, Equatable {
        /// What is done.
        public var kind: Candidate.Kind
        /// How many different places or pairs are known.
        public var known = 0
        /// How many of them were tried.
        public var tried = 0
        /// How many that are not alike are known.
        public var kindsKnown = 0
        /// Of how many that are not alike at least one was tried.
        public var kindsTried = 0
        /// How many trials could not do what they were for: the place was not reached, or the order cannot be inverted.
        public var notReached = 0
    }

    var known: [Candidate] = []
    private var parts: [Candidate.Kind: Part] = [:]
    private var likenesses: Set<String> = []
    private var triedLikenesses: Set<String> = []
    private var triedPlaces: Set<String> = []

    /// By kind.
    public var byKind: [Part] { Candidate.Kind.allCases.compactMap { parts[$0] } }

    mutating func add(_ candidates: [Candidate]) {
        known += candidates
        for candidate in candidates {
            parts[candidate.kind, default: Part(kind: candidate.kind)].known += 1
            if likenesses.insert(candidate.likeness).inserted { parts[candidate.kind]?.kindsKnown += 1 }
        }
    }

    /// Counts what a trial tried.
    /// - Parameter fired: the names of the faults that its ledger shows.
    mutating func note(_ candidate: Candidate, _ verdict: Verdict, fired: Set<String>) {
        let kind = candidate.kind
        if kind == .random {
            parts[kind, default: Part(kind: kind)].tried += 1
        } else {
            for part in candidate.parts.isEmpty ? [candidate] : candidate.parts where part.happened(fired) {
                if triedPlaces.insert("\(part.base) \(part.kind) \(part.text)").inserted {
                    parts[part.kind, default: Part(kind: part.kind)].tried += 1
                }
                if triedLikenesses.insert(part.likeness).inserted {
                    parts[part.kind, default: Part(kind: part.kind)].kindsTried += 1
                }
            }
        }
        if verdict == .inconclusive { parts[kind, default: Part(kind: kind)].notReached += 1 }
    }
}
