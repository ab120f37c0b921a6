/// What the evidence of a trial, or of a run, amounts to.
public enum Verdict: String, Codable, Sendable {
    /// Everything that must hold was seen to hold.
    case held
    /// Something that must hold did not.
    case violated
    /// The harness could not tell.
    case inconclusive
}

/// Something that must hold and did not, with the records that prove it.
public struct Violation: Codable, Sendable, Equatable {
    /// The checker that found it.
    public var checker: String
    /// The same for the same failure in any trial: no ids, times, or indices in it.
    public var signature: String
    /// What happened in this trial, for people.
    public var message: String
    /// The records that prove it, by their place in the ledger.
    public var records: [Int]
    /// Whose violation it is, if it is one process's.
    public var role: String?

    /// Makes a violation.
    public init(checker: String, signature: String, message: String, records: [Int], role: String? = nil) {
        self.checker = checker
        self.signature = signature
        self.message = message
        self.records = records
        self.role = role
    }
}

/// A violation that does not count, and why.
public struct SetAside: Codable, Sendable, Equatable {
    /// What did not hold.
    public var violation: Violation
    /// Why nobody is accused of it.
    public var why: String

    /// Makes one.
    public init(violation: Violation, why: String) {
        self.violation = violation
        self.why = why
    }
}

/// A check that was not made, and why: never to be read as passed.
public struct NotChecked: Codable, Sendable, Equatable {
    /// The checker.
    public var checker: String
    /// Why it had nothing to say.
    public var reason: String
    /// Whether the scenario asks for it: then whoever reads the verdict must be told.
    public var wasAsked: Bool

    /// Makes one.
    public init(checker: String, reason: String, wasAsked: Bool) {
        self.checker = checker
        self.reason = reason
        self.wasAsked = wasAsked
    }
}

/// The judgement of one ledger.
public struct Judgement: Codable, Sendable, Equatable {
    /// What it amounts to: violated before inconclusive before held.
    public var verdict: Verdict
    /// What did not hold.
    public var violations: [Violation]
    /// Why the harness could not tell, where it could not.
    public var problems: [String]
    /// What was not checked.
    public var notChecked: [NotChecked]
    /// True where it is inconclusive for nothing but what its own faults did: one was not reached, or the topology did not stand after
    /// one. Whoever tries many places reckons with that.
    public var isMissed: Bool?
    /// True where it is inconclusive, and something befell the trial from outside that excuses it: another of the same may tell.
    public var isExcused: Bool?
    /// What did not hold and does not count: what a kill made inevitable, what is known, what the scenario is not for. Nil for none.
    public var setAside: [SetAside]?

    /// Makes a judgement.
    public init(
        verdict: Verdict, violations: [Violation], problems: [String], notChecked: [NotChecked],
        setAside: [SetAside]? = nil
    ) {
        self.setAside = setAside
        self.verdict = verdict
        self.violations = violations
        self.problems = problems
        self.notChecked = notChecked
    }
}
