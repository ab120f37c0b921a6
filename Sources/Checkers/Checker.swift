public import Evidence
import Scenarios

/// Judges one aspect of a trial from its ledger alone.
public protocol Checker: Sendable {
    /// The name findings and reports use.
    var name: String { get }
    /// Looks through a history. A pure function: the same ledger always gives the same findings.
    func check(_ history: History) -> Findings
}

/// What one checker found.
public struct Findings: Sendable, Equatable {
    /// What did not hold.
    public var violations: [Violation] = []
    /// What did not hold because Fracas itself had killed a process: nobody is accused of it.
    public var consequences: [Violation] = []
    /// Why it could not tell.
    public var problems: [String] = []
    /// Likewise, where it is the trial's own faults that leave nothing to tell: one was not reached, or nothing stood after one.
    public var misses: [String] = []
    /// Why it had nothing to check; nil when it checked.
    public var notChecked: String?
    /// What the scenario asks for and could not be checked, and why; nil when all of it was.
    public var couldNotCheck: String?

    /// Findings of a checker that saw nothing wrong.
    public init() {}

    /// Findings of a checker that could not check what it was asked to.
    public static func couldNotCheck(_ reason: String) -> Findings {
        var findings = Findings()
        findings.couldNotCheck = reason
        return findings
    }

    /// Findings of a checker that had nothing to check.
    public static func notChecked(_ reason: String) -> Findings {
        var findings = Findings()
        findings.notChecked = reason
        return findings
    }
}

/// Gives the verdict of a ledger.
public enum Judge {
    /// Every checker there is, in the order reports list them.
    public static let checkers: [any Checker] = [
        ForbiddenTextChecker(), RaiseChecker(), ExitChecker(), HangChecker(), LivenessChecker(), OrphanChecker(),
        LeakChecker(),
        DeliveryChecker(),
        PhaseChecker(), FaultChecker(), SightChecker(), HarnessChecker(),
    ]

    /// Judges a ledger's records.
    public static func judge(_ records: [Record]) -> Judgement {
        guard let history = History(records) else {
            return Judgement(
                verdict: .inconclusive, violations: [],
                problems: ["the ledger does not begin with a trial record of format \(Header.currentFormat)"],
                notChecked: checkers.map {
                    NotChecked(checker: $0.name, reason: "the ledger cannot be read", wasAsked: true)
                })
        }
        var judgement = Judgement(verdict: .held, violations: [], problems: [], notChecked: [])
        var isMissed = true
        var consequences: [Violation] = []
        for checker in checkers {
            let findings = checker.check(history)
            judgement.violations += findings.violations
            judgement.problems += findings.misses + findings.problems
            isMissed = isMissed && findings.problems.isEmpty
            consequences += findings.consequences
            if let reason = findings.couldNotCheck ?? findings.notChecked {
                let wasAsked = findings.couldNotCheck != nil
                judgement.notChecked.append(NotChecked(checker: checker.name, reason: reason, wasAsked: wasAsked))
            }
        }
        if history.records.last?.event == .end(End(reason: .hung)), judgement.violations.isEmpty,
            judgement.problems.isEmpty, consequences.isEmpty, !history.mayBeOutlived
        {
            judgement.problems.append("the trial hung, and no checker says of what")
            isMissed = false
        }
        let excuse = Excuse.reason(history)
        if let reason = excuse, !judgement.violations.isEmpty {
            judgement.problems.append(Excuse.withdrawal(of: judgement.violations, reason))
            judgement.violations = []
            isMissed = false
        }
        judgement.setAside(consequences, history)
        if !judgement.violations.isEmpty {
            judgement.verdict = .violated
        } else if !judgement.problems.isEmpty {
            judgement.verdict = .inconclusive
            if isMissed { judgement.isMissed = true }
            if excuse != nil { judgement.isExcused = true }
        }
        return judgement
    }
}
