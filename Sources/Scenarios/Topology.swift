/// The processes of a scenario, the children they are known to make, and the named channels between them.
public struct Topology: Codable, Sendable, Equatable {
    /// The processes Fracas starts itself, in order, one entry per process.
    public var processes: [Process]
    /// Which descendants of those processes have roles of their own.
    public var children: [Child]
    /// The channels that points may name.
    public var channels: [Channel]

    /// Makes a topology from its parts.
    public init(processes: [Process], children: [Child] = [], channels: [Channel] = []) {
        self.processes = processes
        self.children = children
        self.channels = channels
    }

    /// A process that Fracas starts.
    public struct Process: Codable, Sendable, Equatable {
        /// Its role, with its index: `node[0]`.
        public var role: Role
        /// Program and arguments; the program is looked up in `PATH` of `environment`, then of Fracas.
        public var command: [String]
        /// Added to (and winning over) the trial's base environment.
        public var environment: [String: String]
        /// The working directory; `/` when absent.
        public var directory: String?
        /// What tells that it is ready; when absent it counts as ready once it was started.
        public var ready: Ready?
        /// What an interpreter may have loaded before it becomes this process, where trials are started warm; nil for nothing: then
        /// it is always started by `execve(2)`.
        public var warm: Warm?

        /// Makes a process from its parts.
        public init(
            role: Role, command: [String], environment: [String: String] = [:], directory: String? = nil,
            ready: Ready? = nil, warm: Warm? = nil
        ) {
            self.role = role
            self.command = command
            self.environment = environment
            self.directory = directory
            self.ready = ready
            self.warm = warm
        }
    }

    /// What a Python interpreter loads before it becomes a process of a trial.
    public struct Warm: Codable, Sendable, Hashable {
        /// The modules, in the order in which they are loaded.
        public var modules: [String]
        /// Where they are searched for, before where the interpreter does; only while these are loaded.
        public var path: [String]

        /// Makes one.
        public init(modules: [String], path: [String] = []) {
            self.modules = modules
            self.path = path
        }
    }

    /// What tells that a process is ready.
    public enum Ready: Codable, Sendable, Equatable {
        /// A line of its output (either stream) that matches this regular expression; or one of each process below it, or of itself,
        /// that has one of these roles.
        case log(String, roles: RolePattern? = nil)
        /// It, or a process below it, listens on this TCP port of the trial.
        case port(Int)
        /// It, or a process below it, takes connections or datagrams at this path.
        case socket(String)
        /// Its own exit with code 0 (a preparation that runs to its end).
        case exit
    }

    /// A rule that gives descendants a role: the k-th process that `parent` makes and that fits is `parent.name[k]`.
    public struct Child: Codable, Sendable, Equatable {
        /// The name of the role, without an index: `runner`.
        public var name: String
        /// Whose children.
        public var parent: RolePattern
        /// How the child came to be.
        public var start: Start
        /// A regular expression that its command line (arguments joined by spaces) must match; any when absent.
        public var command: String?
        /// How many each parent is expected to make; when fewer come to life the trial is not judged `held`.
        public var count: Int?

        /// Makes a rule from its parts.
        public init(name: String, parent: RolePattern, start: Start = .any, command: String? = nil, count: Int? = nil) {
            self.name = name
            self.parent = parent
            self.start = start
            self.command = command
            self.count = count
        }
    }

    /// How a child process came to be.
    public enum Start: String, Codable, Sendable, CaseIterable {
        /// It runs its parent's program: `fork(2)` without `execve(2)`.
        case fork
        /// It called `execve(2)`.
        case spawn
        /// Either.
        case any
    }

    /// A pipe, or a socket of the Unix family, between two roles, known by a name. Which descriptor it is, Fracas finds at each call: the caller
    /// has one role, and a process with the other role holds the other end.
    public struct Channel: Codable, Sendable, Equatable {
        /// The name points use.
        public var name: String
        /// Who writes to it.
        public var writer: RolePattern
        /// Who reads from it.
        public var reader: RolePattern
        /// Which of the pipes that run this way between the same two processes, in the order of their first use; any of
        /// them when absent.
        public var index: Int?

        /// Makes a channel from its parts.
        public init(name: String, writer: RolePattern, reader: RolePattern, index: Int? = nil) {
            self.name = name
            self.writer = writer
            self.reader = reader
            self.index = index
        }
    }
}
