/// A step that runs `fracas deploy`, `rollback` or `validate` on a deployed tree inside the trial: written in a scenario as what is
/// done and what it must come to, run as a process with a role, so that faults and points can name it.
public struct DeploymentStep: Codable, Sendable, Equatable {
    /// Which command, by its name.
    public enum Kind: String, Codable, Sendable, CaseIterable {
        /// Lays a release over the tree.
        case deploy
        /// Brings the tree back to a backup.
        case rollback
        /// Says whether the tree's service is healthy.
        case validate

        /// The name of the role that its processes have: the first such step of a scenario starts `deployer[0]`.
        public var role: String {
            switch self {
            case .deploy: "deployer"
            case .rollback: "rollback"
            case .validate: "validator"
            }
        }

        /// The options that take a value.
        var values: [String] {
            switch self {
            case .deploy: ["release"]
            case .rollback: ["backup"]
            case .validate: ["since"]
            }
        }

        /// The options that are on or off.
        var flags: [String] {
            switch self {
            case .deploy: ["backup-only", "dry-run", "skip-tests"]
            case .rollback: ["emergency"]
            case .validate: ["report-only"]
            }
        }

        /// What it can come to, in words, and how its process ends then; the first is what is expected unless the step says more.
        var endings: [(word: String, status: ExitStatus)] {
            switch self {
            case .deploy, .rollback:
                [
                    ("done", .code(0)), ("undone", .code(1)), ("refused", .code(2)), ("unfinished", .code(3)),
                    ("killed", .signal(.kill)),
                ]
            case .validate:
                [
                    ("healthy", .code(0)), ("unhealthy", .code(1)), ("refused", .code(2)),
                    ("killed", .signal(.kill)),
                ]
            }
        }

        /// An ending in a word, if there is one for it.
        func word(for status: ExitStatus) -> String? { endings.first { $0.status == status }?.word }
    }

    /// Which command.
    public var kind: Kind
    /// The `fracas` that is run: a path, or a name in PATH.
    public var program: String
    /// The tree's path inside the trial.
    public var tree: String
    /// Options with a value, by their names.
    public var values: [String: String]
    /// Options that are on.
    public var flags: [String]
    /// Settings that go over the tree's own.
    public var settings: [String: String]
    /// The ways in which it may end.
    public var expected: [ExitStatus]

    /// Makes a step from its parts.
    /// - Parameter expected: nil for the good end.
    public init(
        kind: Kind, program: String, tree: String, values: [String: String] = [:], flags: [String] = [],
        settings: [String: String] = [:], expected: [ExitStatus]? = nil
    ) {
        self.kind = kind
        self.program = program
        self.tree = tree
        self.values = values
        self.flags = flags
        self.settings = settings
        self.expected = expected ?? [.code(0)]
    }

    /// The command that the trial runs.
    public var command: [String] {
        var words = [program, kind.rawValue]
        var values = values
        if kind == .rollback { words.append(values.removeValue(forKey: "backup") ?? "latest") }
        words += ["--tree", tree]
        words += values.sorted { $0.key < $1.key }.flatMap { ["--\($0.key)", $0.value] }
        words += flags.sorted().map { "--\($0)" }
        return words + settings.sorted { $0.key < $1.key }.flatMap { ["--set", "\($0.key)=\($0.value)"] }
    }

    /// An ending as people say it: `exit 1 (unhealthy)`.
    public func says(_ status: ExitStatus) -> String {
        kind.word(for: status).map { "\(status) (\($0))" } ?? "\(status)"
    }
}

extension Step {
    /// The roles of the processes that steps start themselves, by the step's place; nil for steps that start none. A `run` step's is
    /// numbered by its place, a deployment's by how many of its kind come before it.
    static func roles(of steps: [Step]) -> [Role?] {
        var counts: [DeploymentStep.Kind: Int] = [:]
        return steps.enumerated().map { index, step in
            switch step.action {
            case .run: return Role("run", index)
            case .deployment(let deployment):
                defer { counts[deployment.kind, default: 0] += 1 }
                return Role(deployment.kind.role, counts[deployment.kind, default: 0])
            default: return nil
            }
        }
    }
}

extension Scenario {
    /// The role of the process that a step starts itself; nil for a step that starts none.
    public func role(ofStep index: Int) -> Role? { Step.roles(of: steps)[index] }

    /// The step that starts the process with this role; nil for processes of the topology.
    public func step(starting role: Role) -> Step? {
        Step.roles(of: steps).firstIndex(of: role).map { steps[$0] }
    }
}
