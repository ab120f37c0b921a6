/// What is done to a target, and where.
public struct Fault: Codable, Sendable, Equatable {
    /// The name the ledger and `wait` steps use.
    public var name: String
    /// What is done.
    public var action: Action
    /// Where, and which time.
    public var trigger: Trigger
    /// Whether a trial in which it never fired has shown something all the same.
    public var isOptional: Bool

    /// Makes a fault from its parts.
    public init(name: String, action: Action, trigger: Trigger, isOptional: Bool = false) {
        self.name = name
        self.action = action
        self.trigger = trigger
        self.isOptional = isOptional
    }

    /// What a fault does.
    public enum Action: Codable, Sendable, Equatable {
        /// Sends a signal to the processes that match; without `roles`, to the thread at the point.
        case kill(roles: RolePattern?, signal: Signal)
        /// Stops the processes that match with `SIGSTOP`; continues them after `time` when given.
        case stop(roles: RolePattern?, time: Span?)
        /// Continues stopped processes that match with `SIGCONT`.
        case resume(roles: RolePattern?)
        /// Freezes the processes that match in a cgroup, which no process can see; thaws them after `time` when given.
        case freeze(roles: RolePattern?, time: Span?)
        /// Lets the processes that match run only `share` of a hundred parts of the time, for `time`.
        case starve(roles: RolePattern?, share: Int, time: Span)
        /// Bounds the memory of the processes that match, together, in bytes: beyond it the kernel's OOM killer ends one.
        case memory(roles: RolePattern?, bytes: Int)
        /// Leaves the processes that match no free descriptor (`EMFILE`), for `time` when given.
        case exhaust(roles: RolePattern?, time: Span?)
        /// Sets the clock that the processes that match read, forward or back by this many seconds.
        case clock(roles: RolePattern?, seconds: Int)
        /// Holds the call back for a time, then lets it go on.
        case delay(Span)
        /// Holds the call back until a fault has fired, a named point was reached or a step began, at most for a time.
        case hold(until: String, atMost: Duration)
        /// Answers the call with this error; on entry without running it, at its return in place of its own answer.
        case errno(ErrorName)
        /// Answers the call with this value; on entry without running it, at its return in place of its own answer.
        case answer(Int)
        /// Lets the call transfer at most this many bytes.
        case short(Point.Range)
        /// Writes bytes where an argument of the call points.
        case poke(argument: Int, bytes: [UInt8])
        /// Closes what the call's descriptor is, then lets the call go on.
        case close(Closing)
    }

    /// What `close` closes.
    public enum Closing: String, Codable, Sendable, CaseIterable {
        /// The far end: the caller itself finds the channel closed (`EPIPE` and `SIGPIPE` on write, end of file on read).
        case peer
        /// The caller's own end: its peer finds the channel closed, and the caller's data goes nowhere.
        case own
        /// The descriptor: the caller finds it not open (`EBADF`).
        case descriptor
        /// The caller's half of a connected socket for sending: its peer finds an end of file.
        case sending
        /// The caller's half of a connected socket for receiving: the caller finds an end of file.
        case receiving
        /// A connected socket, at once: both ends find the connection reset (`ECONNRESET`).
        case reset
    }

    /// Where a fault is placed.
    public enum Trigger: Codable, Sendable, Equatable {
        /// At a point that a process reaches.
        case point(Point)
        /// This long after a step began (the first step when absent).
        case time(after: Span, step: String?)
    }

    /// The point the fault is placed at; nil when it is placed by time.
    public var point: Point? {
        guard case .point(let point) = trigger else { return nil }
        return point
    }
}

extension Fault.Action {
    /// The word scenario files use for it.
    public var kind: String {
        switch self {
        case .kill: "kill"
        case .stop: "stop"
        case .resume: "continue"
        case .freeze: "freeze"
        case .starve: "starve"
        case .memory: "memory"
        case .exhaust: "exhaust"
        case .clock: "clock"
        case .delay: "delay"
        case .hold: "hold"
        case .errno: "errno"
        case .answer: "return"
        case .short: "short"
        case .poke: "poke"
        case .close: "close"
        }
    }

    /// Whether it happens to the call itself, and so needs a point; the others can be placed by time.
    public var needsCall: Bool {
        switch self {
        case .kill, .stop, .resume, .freeze, .starve, .memory, .exhaust, .clock: false
        case .delay, .hold, .errno, .answer, .short, .poke, .close: true
        }
    }
}

/// Something a fault needs of the host it runs on.
public enum HostNeed: String, Sendable, CaseIterable {
    /// Attaching to one thread for one call, `ptrace(2)`.
    case ptrace
    /// A cgroup v2 of the trial's own, with its freezer.
    case freezer
    /// A cgroup with the memory controller, of either version.
    case memoryController
    /// The library libfaketime.
    case faketime
}

extension Fault {
    /// What it needs of the host beyond the gate itself.
    public var needs: [HostNeed] {
        var needs: [HostNeed] = []
        switch action {
        case .freeze, .starve: needs.append(.freezer)
        case .memory: needs.append(.memoryController)
        case .clock: needs.append(.faketime)
        case .short: needs.append(.ptrace)
        default: break
        }
        if point?.moment == .exit { needs.append(.ptrace) }
        return needs
    }
}

/// A length of time, or a span to draw one from with the trial's seed (both ends included).
public struct Span: Codable, Sendable, Equatable {
    /// The shortest.
    public var lower: Duration
    /// The longest.
    public var upper: Duration

    /// Exactly this long.
    public init(_ value: Duration) { self.init(value, value) }

    /// Any length from `lower` to `upper`.
    public init(_ lower: Duration, _ upper: Duration) {
        self.lower = lower
        self.upper = upper
    }
}
