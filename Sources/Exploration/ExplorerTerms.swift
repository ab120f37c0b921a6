public import Scenarios

extension Explorer {
    /// How it chooses.
    public enum Strategy: String, Codable, Sendable, CaseIterable {
        /// By what is still unseen, each kind of thing in turn.
        case guided
        /// Every kill, then every delay: of each kind of operation the first, the last, then those between.
        case sweep
        /// Order inversions only, of each scenario the nearest pair first.
        case inversion
        /// One to three things at once, drawn with the seed: random scheduling with a bound on its depth, after Burckhardt et al., "A
        /// randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010.
        case random
        /// Nothing: the scenarios as they are.
        case plain
    }

    /// What a trial is for.
    public enum Purpose: Sendable {
        /// It lists the operations of a base scenario.
        case reference(base: Int)
        /// It shows what others do when one of them has died before the request.
        case reaction(base: Int, victim: Role)
        /// It tries something.
        case candidate(Candidate)
        /// It runs a base scenario as it is.
        case plain(base: Int)
    }

    /// What there is to do.
    public enum Next: Sendable {
        /// A trial: its number and its scenario.
        case trial(number: Int, scenario: Scenario)
        /// Nothing, until a trial that is under way has ended: what it shows is needed.
        case later
        /// Nothing: no base scenario works even without a fault.
        case never
    }
}
