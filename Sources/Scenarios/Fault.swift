/// What is done to a target, and where.
public struct Fault: Codable, Sendable, Equatable {
    /// The name the ledger and `wait` steps use.
    public var name: String
    /// What is done.
    public var action: Action
    /// Where, and which time.
    public var trigger: Trigger

    /// Makes a fault from its parts.
    public init(name: String, action: Action, trigger: Trigger) {
        self.name = name
        self.action = action
        self.trigger = trigger
    }

    /// What a fault does.
    public enum Action: Codable, Sendable, Equatable {
        /// Sends a signal to the processes that match; without `roles`, to the process at the point.
        case kill(roles: RolePattern?, signal: Signal)
        /// Stops the processes that match with `SIGSTOP`; continues them after `time` when given.
        case stop(roles: RolePattern?, time: Span?)
        /// Continues stopped processes that match with `SIGCONT`.
        case resume(roles: RolePattern?)
        /// Holds the call back for a time, then lets it go on.
        case delay(Span)
        /// Answers the call with this error without running it.
        case errno(ErrorName)
        /// Closes the channel the call is on by swapping the caller's descriptor, then lets the call go on.
        case close(End)
    }

    /// Which end of a channel `close` closes.
    public enum End: String, Codable, Sendable, CaseIterable {
        /// The far end: the caller itself finds the channel closed (`EPIPE` and `SIGPIPE` on write, end of file on read).
        case peer
        /// The caller's own end: its peer finds the channel closed, and the caller's data goes nowhere.
        case own
    }

    /// Where a fault is placed.
    public enum Trigger: Codable, Sendable, Equatable {
        /// At a point that a process reaches.
        case point(Point)
        /// This long after a step began (the first step when absent).
        case time(after: Span, step: String?)
    }
}

/// Where a process can be caught: on entry of a system call.
public struct Point: Codable, Sendable, Equatable {
    /// Who must reach it.
    public var roles: RolePattern
    /// What it must do.
    public var place: Place
    /// Which time counts, from 1, counted for each matching role by itself. A span is drawn from with the trial's seed.
    public var nth: Range
    /// How many times in a row the fault fires from there on, for each role; nil means every time.
    public var times: Int?

    /// Makes a point from its parts.
    public init(roles: RolePattern, place: Place, nth: Range = Range(1), times: Int? = 1) {
        self.roles = roles
        self.place = place
        self.nth = nth
        self.times = times
    }

    /// What a process does at a point.
    public enum Place: Codable, Sendable, Equatable {
        /// Enters this system call, named as in `syscalls(2)`.
        case call(String)
        /// Enters this system call on this channel.
        case channel(String, call: String)
        /// Writes a line to its standard output or error that matches this expression: caught before the line is out.
        case line(String)
    }

    /// A number, or a span to draw one from (both ends included).
    public struct Range: Codable, Sendable, Equatable {
        /// The least.
        public var lower: Int
        /// The greatest.
        public var upper: Int

        /// Exactly this number.
        public init(_ value: Int) { self.init(value, value) }

        /// Any number from `lower` to `upper`.
        public init(_ lower: Int, _ upper: Int) {
            self.lower = lower
            self.upper = upper
        }
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
