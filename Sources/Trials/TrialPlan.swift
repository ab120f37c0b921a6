public import Checkers
public import Evidence
public import Scenarios
public import Topologies

/// The error type of this module: what was attempted, and why it failed.
public struct TrialError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, what went wrong, what to do.
    public let description: String

    /// Makes an error.
    public init(_ description: String) { self.description = description }
}

/// One trial: which scenario, with which seed, against what.
public struct TrialPlan: Sendable {
    /// The trial's number in its run, from 1.
    public var number: Int
    /// The trial's own seed.
    public var seed: UInt64
    /// The scenario.
    public var scenario: Scenario
    /// The target's path, for the ledger.
    public var target: String?
    /// The target's release, for the ledger.
    public var release: String?
    /// The control that is laid over the target, for the ledger.
    public var control: String?
    /// Where the ledger goes; nil keeps none.
    public var ledger: String?
    /// The namespaces it runs in.
    public var sandbox: Sandbox.Options
    /// The directory of the Python probe, for scenarios that need it.
    public var probe: String?
    /// Where the interpreters are that processes come from which a scenario lets be started warm; nil to execute every program.
    public var warm: WarmServers?

    /// Makes a plan.
    public init(
        number: Int, seed: UInt64, scenario: Scenario, target: String? = nil, release: String? = nil,
        control: String? = nil, ledger: String? = nil, sandbox: Sandbox.Options, probe: String? = nil,
        warm: WarmServers? = nil
    ) {
        self.number = number
        self.seed = seed
        self.scenario = scenario
        self.target = target
        self.release = release
        self.control = control
        self.ledger = ledger
        self.sandbox = sandbox
        self.probe = probe
        self.warm = warm
    }
}

/// What came of a trial.
public struct TrialResult: Sendable {
    /// The trial's number in its run.
    public let number: Int
    /// The scenario's name.
    public let scenario: String
    /// The trial's own seed.
    public let seed: UInt64
    /// The judgement of its ledger.
    public let judgement: Judgement
    /// How long it took.
    public let duration: Duration
    /// Where its ledger is.
    public let ledger: String?
    /// How many faults were injected.
    public let faultsFired: Int
    /// Whether it was interrupted; then it counts as no trial.
    public let wasInterrupted: Bool
    /// Its ledger's records.
    public let records: [Record]

    /// The finding that its scenario is for; nil for one that is for whatever it finds.
    public var finding: String? {
        guard case .trial(let header)? = records.first?.event else { return nil }
        return header.scenario.finding
    }
}

extension TrialResult {
    /// A trial that could not even begin.
    public static func notRun(_ plan: TrialPlan, _ reason: String) -> TrialResult {
        TrialResult(
            number: plan.number, scenario: plan.scenario.name, seed: plan.seed,
            judgement: Judgement(verdict: .inconclusive, violations: [], problems: [reason], notChecked: []),
            duration: .zero, ledger: nil, faultsFired: 0, wasInterrupted: false, records: [])
    }

    /// Stands for no trial: its number is 0.
    public static let none = TrialResult(
        number: 0, scenario: "", seed: 0,
        judgement: Judgement(verdict: .inconclusive, violations: [], problems: [], notChecked: []), duration: .zero,
        ledger: nil, faultsFired: 0, wasInterrupted: true, records: [])
}
