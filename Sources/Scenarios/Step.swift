/// Something a scenario does, in order. Every step has a deadline; a step that misses it is a hang, and the trial ends
/// there with each stuck thread's stack in the evidence.
public struct Step: Codable, Sendable, Equatable {
    /// The name the ledger uses: given in the file, or made from the action (`shutdown`, `start`).
    public var name: String
    /// What is done.
    public var action: Action
    /// The longest it may take.
    public var within: Duration
    /// Whether what a `start` or `wait` step waits for has to come: that it does not is a violation then, with or without a fault. Nil
    /// where the scenario does not say: then a start is owed after a fault, and nothing else.
    public var isOwed: Bool?
    /// Whether the signal of a `signal` or `stop` step goes to whole process groups, as a terminal's does.
    public var toGroup: Bool

    /// Makes a step from its parts.
    public init(name: String, action: Action, within: Duration, isOwed: Bool? = nil, toGroup: Bool = false) {
        self.name = name
        self.action = action
        self.within = within
        self.isOwed = isOwed
        self.toGroup = toGroup
    }

    /// What a step does.
    public enum Action: Codable, Sendable, Equatable {
        /// Starts the topology's processes that match (all when absent) side by side and waits until each is ready, or,
        /// with `ready` false, only until each runs.
        case start(roles: RolePattern?, ready: Bool)
        /// Waits until something has happened, at any time in the trial so far or from now on.
        case wait(Condition)
        /// Sends a signal to every live process that matches.
        case signal(roles: RolePattern, signal: Signal)
        /// The shutdown: sends a signal to every live process that matches (none when absent) and waits until each of
        /// them has exited.
        case stop(roles: RolePattern, signal: Signal?)
        /// Runs a command inside the trial, as role `run[k]`, and waits for its exit with code 0.
        case run(command: [String], environment: [String: String])
        /// Runs a command of Fracas's own on a deployed tree inside the trial, and waits for one of its expected ends.
        case deployment(DeploymentStep)
    }

    /// What a `wait` step waits for.
    public enum Condition: Codable, Sendable, Equatable {
        /// Each process that matches has printed at least `count` lines (either stream) that match the expression.
        case log(roles: RolePattern, pattern: String, count: Int)
        /// Each process that matches has exited.
        case exit(roles: RolePattern)
        /// This fault has fired, or this named point was reached.
        case reached(String)
        /// Something listens on this TCP port of the trial: a process that matches, or one below it; any when absent.
        case port(Int, roles: RolePattern?)
        /// Something takes connections or datagrams at this path: a process that matches, or one below it; any when absent.
        case socket(String, roles: RolePattern?)
    }
}
