/// What must hold in a trial's evidence. Each part is one checker's; a part that is absent is not checked, and reports
/// list it as not checked.
public struct Expectations: Codable, Sendable, Equatable {
    /// Texts that no process may print.
    public var forbidden: [ForbiddenText]
    /// Exceptions that no Python process may raise, by name or by `module.name`, caught or not.
    public var raises: [String]
    /// Which ways to end are allowed, by role; the first rule that matches decides. A process that no rule matches may
    /// end with 0, or by a signal that a fault or step of the scenario sent it.
    public var exits: [ExitRule]
    /// The order of phases that processes must print.
    public var phases: PhaseOrder?
    /// Channels on which what was sent (mark `sent`) must be received (mark `received`) exactly once.
    public var delivery: [Delivery]
    /// What may be left behind.
    public var leaks: Leaks
    /// Whether a process may outlive the topology.
    public var orphansAllowed: Bool
    /// Whether every process must wait for each of its children that has ended; absent for no. Whoever is left to the system's init
    /// is waited for there, so that a parent leaves without it is no defect by itself.
    public var zombiesForbidden: Bool?
    /// Of which roles a process may outlive it; nil for none besides.
    public var orphansAllowedOf: [RolePattern]?
    /// Whether not even those may that had a process above them killed: they must notice. Nil for no: what they do then is a
    /// consequence of the kill.
    public var orphansMustNotice: Bool?
    /// What is allowed besides in trials in which a fault or a step killed a process: who is killed cannot tidy up.
    public var whenKilled: [WhenKilled]

    /// Makes expectations from their parts.
    public init(
        forbidden: [ForbiddenText] = [], raises: [String] = [], exits: [ExitRule] = [], phases: PhaseOrder? = nil,
        delivery: [Delivery] = [], leaks: Leaks = Leaks(), orphansAllowed: Bool = false,
        zombiesForbidden: Bool? = nil, whenKilled: [WhenKilled] = []
    ) {
        self.forbidden = forbidden
        self.raises = raises
        self.exits = exits
        self.phases = phases
        self.delivery = delivery
        self.leaks = leaks
        self.orphansAllowed = orphansAllowed
        self.zombiesForbidden = zombiesForbidden
        self.whenKilled = whenKilled
    }

    /// What is allowed besides, from the moment on when a process of a role was killed. Each rule that applies adds to what is
    /// allowed anyway, and takes nothing away.
    public struct WhenKilled: Codable, Sendable, Equatable {
        /// Whose end it takes.
        public var roles: RolePattern
        /// Ways to end that are allowed too.
        public var exits: [ExitRule]
        /// Shell patterns of entries that may stay in `/dev/shm` too.
        public var sharedMemory: [String]
        /// Shell patterns of entries that may stay in `/tmp` too.
        public var temporary: [String]
        /// Listening ports that may stay too; nil for none.
        public var ports: [Int]?
        /// Of which roles processes may outlive the topology too; nil for none.
        public var orphans: [RolePattern]?
        /// Whether any process may.
        public var orphansAllowed: Bool?
        /// The forbidden texts that may be printed, by name; nil for none.
        public var forbidden: [String]?
        /// The forbidden exceptions that may be raised; nil for none.
        public var raises: [String]?
        /// Makes a rule.
        public init(
            roles: RolePattern, exits: [ExitRule] = [], sharedMemory: [String] = [], temporary: [String] = [],
            ports: [Int]? = nil, orphans: [RolePattern]? = nil, orphansAllowed: Bool? = nil,
            forbidden: [String]? = nil, raises: [String]? = nil
        ) {
            self.roles = roles
            self.exits = exits
            self.sharedMemory = sharedMemory
            self.temporary = temporary
            self.ports = ports
            self.orphans = orphans
            self.orphansAllowed = orphansAllowed
            self.forbidden = forbidden
            self.raises = raises
        }
    }

    /// A text that no process may print.
    public struct ForbiddenText: Codable, Sendable, Equatable {
        /// What findings call it: `Queue is closed`.
        public var name: String
        /// The regular expression that finds it in a line.
        public var pattern: String
        /// Makes a forbidden text.
        public init(name: String, pattern: String) {
            self.name = name
            self.pattern = pattern
        }
    }

    /// The ways in which processes of a role may end.
    public struct ExitRule: Codable, Sendable, Equatable {
        /// Whose exits.
        public var roles: RolePattern
        /// What is allowed: exit codes, and signals that may end the process.
        public var allowed: [ExitStatus]
        /// Makes a rule.
        public init(roles: RolePattern, allowed: [ExitStatus]) {
            self.roles = roles
            self.allowed = allowed
        }
    }

    /// The order of phases: for each subject, phases must come in this order, none twice, none left out once a later one
    /// was printed.
    public struct PhaseOrder: Codable, Sendable, Equatable {
        /// A regular expression with the named groups `subject` and `phase`.
        public var pattern: String
        /// The phases in order.
        public var order: [String]
        /// Phases that may follow any phase and end the sequence.
        public var final: [String]
        /// Makes an order.
        public init(pattern: String, order: [String], final: [String] = []) {
            self.pattern = pattern
            self.order = order
            self.final = final
        }
    }

    /// Exactly-once delivery on one channel, by its marks.
    public struct Delivery: Codable, Sendable, Equatable {
        /// The channel's name in the marks.
        public var channel: String
        /// Who receives: if such a process was killed by a fault, nothing can be said of what was under way to it.
        public var receiver: RolePattern
        /// Makes a delivery rule.
        public init(channel: String, receiver: RolePattern) {
            self.channel = channel
            self.receiver = receiver
        }
    }

    /// What may be left behind at the end of a trial.
    public struct Leaks: Codable, Sendable, Equatable {
        /// Shell patterns (`fnmatch(3)`) of entries that may stay in `/dev/shm`.
        public var sharedMemory: [String]
        /// Shell patterns of entries that may stay in `/tmp`.
        public var temporary: [String]
        /// Listening ports that may stay.
        public var ports: [Int]
        /// How many descriptors of a kind (`pipe`, `socket`, `file`, …) a role may hold open when it exits by itself,
        /// beyond those it was born with.
        public var descriptors: [Descriptors]
        /// Whether the scenario says itself what may stay in `/tmp` and `/dev/shm`: then that is all, whoever was killed. Nil for no.
        public var areSaid: Bool?

        /// Makes leak rules; the default allows nothing to stay and does not count descriptors.
        public init(
            sharedMemory: [String] = [], temporary: [String] = [], ports: [Int] = [], descriptors: [Descriptors] = []
        ) {
            self.sharedMemory = sharedMemory
            self.temporary = temporary
            self.ports = ports
            self.descriptors = descriptors
        }
    }

    /// How many descriptors a role may hold open at its own exit.
    public struct Descriptors: Codable, Sendable, Equatable {
        /// Whose.
        public var roles: RolePattern
        /// The most of each kind; kinds not named are not counted.
        public var most: [String: Int]
        /// Makes a descriptor rule.
        public init(roles: RolePattern, most: [String: Int]) {
            self.roles = roles
            self.most = most
        }
    }
}

/// How a process ended.
public enum ExitStatus: Codable, Sendable, Hashable, CustomStringConvertible {
    /// It called `exit(2)` with this code.
    case code(Int)
    /// This signal ended it.
    case signal(Signal)

    /// Reads `1` or `SIGKILL`.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let code = try? container.decode(Int.self) {
            self = .code(code)
        } else {
            self = .signal(try container.decode(Signal.self))
        }
    }

    /// Writes a number for a code, a name for a signal.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .code(let code): try container.encode(code)
        case .signal(let signal): try container.encode(signal)
        }
    }

    /// `exit 1`, `SIGKILL`.
    public var description: String {
        switch self {
        case .code(let code): "exit \(code)"
        case .signal(let signal): signal.description
        }
    }
}
