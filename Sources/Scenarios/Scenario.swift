import Glibc

/// A scenario with every variable replaced and every default filled in: what a trial runs, and nothing else.
///
/// `ScenarioLoader` makes one from YAML; its `Codable` form is stored at the head of every ledger, so that a stored run
/// can be judged again without the files it came from.
public struct Scenario: Codable, Sendable, Equatable {
    /// The scenario's name, which is its file's name without the extension.
    public var name: String
    /// One sentence: what it breaks, and what must hold all the same.
    public var summary: String
    /// The processes, their children and the channels between them.
    public var topology: Topology
    /// What is done, in order.
    public var steps: [Step]
    /// What is broken, each once per trial unless it says otherwise.
    public var faults: [Fault]
    /// Points that holds, windows and steps refer to by name.
    public var points: [NamedPoint]
    /// What must hold in the evidence.
    public var expect: Expectations
    /// Bounds on everything a trial may use.
    public var limits: Limits
    /// What the trial has of the host's files beyond a private copy; nil for nothing.
    public var files: HostFiles?
    /// The absolute path of the file it was loaded from, so that a variation of it can be written beside it; nil for one that
    /// came from no file.
    public var source: String?
    /// What its files were told that their variables stand for; nil for one that came from no file.
    public var variables: Variables?
    /// Findings that are known and set aside: they make no trial violated. Nil for none.
    public var known: [KnownFinding]?
    /// The finding that the scenario is for, as reports call it: only that one makes a trial violated. Nil for every one.
    public var finding: String?

    /// Makes a scenario from its parts.
    public init(
        name: String, summary: String = "", topology: Topology, steps: [Step], faults: [Fault] = [],
        points: [NamedPoint] = [], expect: Expectations = Expectations(), limits: Limits = Limits(),
        files: HostFiles? = nil, source: String? = nil
    ) {
        self.name = name
        self.summary = summary
        self.topology = topology
        self.steps = steps
        self.faults = faults
        self.points = points
        self.expect = expect
        self.limits = limits
        self.files = files
        self.source = source
    }

    /// The variables of a scenario's files, so that they can be read again.
    public struct Variables: Codable, Sendable, Equatable {
        /// What those stood for that were given from outside and that the files use.
        public var given: [String: String]
        /// The names that may be given: all that the files use or define.
        public var names: [String]

        /// Why a variable of this name cannot be given to any of some scenarios; nil when it can.
        public static func problem(with name: String, of scenarios: [Scenario]) -> String? {
            if YAMLReader.ownNames.contains(name) { return "'${\(name)}' is Fracas's own and cannot be set" }
            let names = Set(scenarios.flatMap { $0.variables?.names ?? [] })
            guard !names.contains(name) else { return nil }
            let known =
                names.isEmpty
                ? "; there are no variables in it"
                : "\(Suggestion.near(name, among: names)); there are \(names.sorted().joined(separator: ", "))"
            return "no scenario has a variable '\(name)'\(known)"
        }
    }
}

/// A finding that somebody knows and accepts.
public struct KnownFinding: Codable, Sendable, Equatable {
    /// The finding, as reports call it, or a pattern of `fnmatch(3)`: `orphan of main.*`.
    public var signature: String
    /// Why it is set aside.
    public var why: String

    /// Makes one.
    public init(signature: String, why: String) {
        self.signature = signature
        self.why = why
    }

    /// Whether a finding as reports call it, or a pattern on that, is about a finding.
    public static func matches(_ pattern: String, _ signature: String) -> Bool {
        pattern == signature || fnmatch(pattern, signature, 0) == 0
    }
}

extension Scenario {
    /// Whether anything waits for a port or a socket that a process listens on.
    public var waitsForListener: Bool { steps.contains(where: waitsForListener) }

    /// Whether a step waits for the end of processes, and not for something that they do.
    public func waitsForEnd(_ step: Step) -> Bool {
        switch step.action {
        case .start, .wait(.log), .wait(.port), .wait(.socket), .wait(.reached): false
        case .wait(.exit), .signal, .stop, .run, .deployment: true
        }
    }

    /// Whether a step does.
    public func waitsForListener(_ step: Step) -> Bool {
        switch step.action {
        case .wait(.port), .wait(.socket): true
        case .start(let roles, true):
            topology.processes.contains { process in
                guard roles?.matches(process.role) ?? true else { return false }
                switch process.ready {
                case .port, .socket: return true
                case .log, .exit, nil: return false
                }
            }
        default: false
        }
    }
}

/// Bounds on what one trial may use. Beyond a bound evidence is dropped, the drop is counted, and the verdict is
/// `inconclusive`.
public struct Limits: Codable, Sendable, Equatable {
    /// The longest a whole trial may take; it ends as a hang there, whatever step it is in.
    public var trial: Duration
    /// The most output kept of one process, in bytes.
    public var outputBytes: Int
    /// The most records one ledger may hold.
    public var records: Int
    /// How long processes that outlive the last step may take to end by themselves before they count as orphans.
    public var orphanGrace: Duration

    /// Makes limits; the defaults suit a topology of a few processes.
    public init(
        trial: Duration = .seconds(60), outputBytes: Int = 4 << 20, records: Int = 200_000,
        orphanGrace: Duration = .seconds(5)
    ) {
        self.trial = trial
        self.outputBytes = outputBytes
        self.records = records
        self.orphanGrace = orphanGrace
    }
}
