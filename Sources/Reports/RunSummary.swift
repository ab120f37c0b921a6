public import Checkers
import Evidence

/// A run in numbers and findings: what `--format json` prints and `summary.json` holds.
public struct RunSummary: Codable, Sendable, Equatable {
    /// What the run amounts to.
    public var verdict: Verdict
    /// Trials that came to an end.
    public var trials: Int
    /// Trials in which everything held.
    public var held: Int
    /// Trials with a violation.
    public var violated: Int
    /// Trials in which the harness could not tell.
    public var inconclusive: Int
    /// How long the run took, in seconds.
    public var seconds: Double
    /// The run's seed: with it and a trial's number the trial's schedule is made again.
    public var seed: UInt64
    /// What was tested; nil for scenarios that bring their own programs.
    public var target: TargetIdentity?
    /// The distinct failures, most frequent first.
    public var findings: [Finding]
    /// Upper 95 % bound on the failure rate; nil when no trial was conclusive.
    public var bound: Double?
    /// The run's name.
    public var name: String
    /// When it began, in UTC, ISO 8601.
    public var startedAt: String
    /// What each scenario came to.
    public var scenarios: [ScenarioSummary]
    /// What was not checked, and in how many trials.
    public var notChecked: [Remark]
    /// What scenarios ask for and could not be checked in some trials: a verdict does not speak of it.
    public var notes: [Remark]
    /// Why the harness could not tell, and in how many trials.
    public var problems: [Remark]
    /// Whether somebody interrupted the run, or it was ended before it could report.
    public var interrupted: Bool
    /// What did not hold and does not count, each with why; nil for nothing.
    public var setAside: [Finding]?
    /// What kind of run it is; nil for one whose every trial counts.
    public var kind: Kind?
    /// How many of the inconclusive trials are so only because they did not come to what they were to try, or could not try it.
    public var missed: Int?
    /// What else the verdict rests on, besides the trials; nil for nothing.
    public var parts: [RunPart]?

    /// Kinds of run whose trials do not all count alike.
    public enum Kind: String, Codable, Sendable {
        /// One that tries many places, not all of which can be reached: those that were not say nothing of the others.
        case explore
    }
}

/// Something besides its trials that a run's verdict rests on.
public struct RunPart: Codable, Sendable, Equatable {
    /// What it is: `exploration`, `controls`, `base`, `report`, …
    public var name: String
    /// What it amounts to.
    public var verdict: Verdict
    /// Why, for people.
    public var text: String

    /// Makes one.
    public init(name: String, verdict: Verdict, text: String) {
        self.name = name
        self.verdict = verdict
        self.text = text
    }
}

/// Which tree was tested.
public struct TargetIdentity: Codable, Sendable, Equatable {
    /// Its path.
    public var path: String
    /// SHA-256 over paths, modes and contents of the files tested.
    public var treeHash: String
    /// Its release, if it has several.
    public var release: String?
    /// The known race that was put into it, if one was.
    public var control: String?

    /// Makes an identity.
    public init(path: String, treeHash: String, release: String?, control: String? = nil) {
        self.path = path
        self.treeHash = treeHash
        self.release = release
        self.control = control
    }
}

/// A distinct failure: all violations with one signature.
public struct Finding: Codable, Sendable, Equatable {
    /// What makes it distinct.
    public var signature: String
    /// The checker that found it.
    public var checker: String
    /// What happened in the simplest trial that showed it.
    public var message: String
    /// In how many trials.
    public var count: Int
    /// The first trial that showed it.
    public var firstTrial: Int
    /// The scenarios that showed it.
    public var scenarios: [String]
    /// The ledger of the simplest trial that showed it, relative to the run's directory.
    public var ledger: String?
    /// The records of that ledger that prove it.
    public var records: [Int]
    /// The trial with the fewest and least violent faults that showed it.
    public var simplestTrial: Int?
    /// What had been done in the trials that showed it, and in how many of them: under one symptom there may be several causes.
    public var causes: [Remark]?
    /// The finding that each of its trials showed too, and of which it is a symptom; nil for one that stands by itself.
    public var symptomOf: String?
    /// Why it does not count; nil for one that does.
    public var why: String?
}

/// What one scenario came to.
public struct ScenarioSummary: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Its trials.
    public var trials = 0
    /// Those in which everything held.
    public var held = 0
    /// Those with a violation.
    public var violated = 0
    /// Those in which the harness could not tell.
    public var inconclusive = 0
    /// How many faults were injected in all.
    public var faultsFired = 0
    /// How long its trials took in all, in seconds.
    public var seconds = 0.0
    /// The finding that the scenario is for; nil for one that is for whatever it finds.
    public var finding: String?
    /// How many of the inconclusive ones missed what they were to try.
    public var missed: Int?
    /// How many of those that held have left no ledger, because it was not kept.
    public var discarded: Int?

    /// What it amounts to, in a run of this kind; nil for no trial.
    func verdict(in kind: RunSummary.Kind?) -> Verdict? {
        if trials == 0 { return nil }
        if violated > 0 { return .violated }
        let excused = kind == .explore ? missed ?? 0 : 0
        return held > 0 && inconclusive <= excused ? .held : .inconclusive
    }
}

/// A sentence, and in how many trials it was true.
public struct Remark: Codable, Sendable, Equatable {
    /// The sentence.
    public var text: String
    /// In how many trials.
    public var count: Int
}
