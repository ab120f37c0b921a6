/// Where a process can be caught: on entry of a system call or at its return, at a line it prints, at a mark.
public struct Point: Codable, Sendable, Equatable {
    /// Who must reach it.
    public var roles: RolePattern
    /// Whether processes below one of those roles count too, whatever they are and whether or not they have a role.
    public var includesDescendants: Bool
    /// What it must do.
    public var place: Place
    /// What else must be so.
    public var conditions: Conditions
    /// On entry of the call, before the kernel has begun with it, or at its return, when it has been carried out.
    public var moment: Moment
    /// Which time counts.
    public var window: Window

    /// Makes a point from its parts.
    public init(
        roles: RolePattern, includesDescendants: Bool = false, place: Place, conditions: Conditions = Conditions(),
        moment: Moment = .entry, window: Window = Window()
    ) {
        self.roles = roles
        self.includesDescendants = includesDescendants
        self.place = place
        self.conditions = conditions
        self.moment = moment
        self.window = window
    }

    /// What a process does at a point.
    public enum Place: Codable, Sendable, Equatable {
        /// Enters one of these system calls, named as in `syscalls(2)`; sorted.
        case calls([String])
        /// Writes a line to its standard output or error that matches this expression: caught before the line is out.
        case line(String)
        /// Writes a mark of this name (`fnmatch(3)`) whose fields match these patterns.
        case mark(String, fields: [String: String])
    }

    /// When in a call.
    public enum Moment: String, Codable, Sendable, CaseIterable {
        /// Before the kernel has begun with it.
        case entry
        /// When the kernel has carried it out, before its caller goes on.
        case exit
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

    /// Which arrivals at a point count. Each role counts by itself, from 1; processes without a role count with the nearest
    /// role above them.
    public struct Window: Codable, Sendable, Equatable {
        /// The first arrival that counts. A span is drawn from with the trial's seed.
        public var nth: Range
        /// How many arrivals count from there on, for each role; nil means all.
        public var times: Int?
        /// The last arrival that may count; nil when there is no last.
        public var last: Int?
        /// From the first on, every how many arrivals count.
        public var every: Int
        /// With which probability such an arrival counts, drawn with the trial's seed; nil means it surely does.
        public var probability: Double?
        /// Only once this fault has fired, this named point was reached, or this step began.
        public var after: String?
        /// Only until this fault has fired, this named point was reached, or this step began.
        public var before: String?

        /// Makes a window; the default is the first arrival.
        public init(
            nth: Range = Range(1), times: Int? = 1, last: Int? = nil, every: Int = 1, probability: Double? = nil,
            after: String? = nil, before: String? = nil
        ) {
            self.nth = nth
            self.times = times
            self.last = last
            self.every = every
            self.probability = probability
            self.after = after
            self.before = before
        }
    }
}

/// What must be so of a call besides its name, for it to be at a point.
public struct Conditions: Codable, Sendable, Equatable {
    /// Its descriptor is this named channel's.
    public var channel: String?
    /// The file it works on matches this pattern of `fnmatch(3)`, by the path it is given or the one its descriptor was
    /// opened by.
    public var path: String?
    /// The far end of its socket matches this pattern of `fnmatch(3)`: `127.0.0.1:5432`, `[::1]:*`, `unix:/run/x.sock`.
    public var peer: String?
    /// What its arguments must be.
    public var arguments: [ArgumentCondition]
    /// Which thread of the process.
    public var thread: ThreadCondition?
    /// Whether its descriptor must be ready for it: the call would not have to wait.
    public var isReady: Bool
    /// Whether it must be on nothing that a point can name better: on no named channel, and neither a line nor a mark. The path
    /// `pipe:[*]` is every pipe's, and this leaves those that have no name of their own.
    public var isUnnamed: Bool
    /// Whether it must be able to change something: the descriptor that it works on is open (`EBADF` changes nothing), and what
    /// it asks for concerns the signals that a shutdown is made of.
    public var isEffective: Bool {
        get { effective ?? false }
        set { effective = newValue ? true : nil }
    }
    /// Absent in a ledger that is older than the condition.
    private var effective: Bool?

    /// Makes conditions; the default asks for nothing.
    public init(
        channel: String? = nil, path: String? = nil, peer: String? = nil, arguments: [ArgumentCondition] = [],
        thread: ThreadCondition? = nil, isReady: Bool = false, isUnnamed: Bool = false, isEffective: Bool = false
    ) {
        self.channel = channel
        self.path = path
        self.peer = peer
        self.arguments = arguments
        self.thread = thread
        self.isReady = isReady
        self.isUnnamed = isUnnamed
        effective = isEffective ? true : nil
    }
}

/// A condition on one argument of a call.
public struct ArgumentCondition: Codable, Sendable, Hashable {
    /// How an argument is compared.
    public enum Comparison: String, Codable, Sendable, CaseIterable {
        /// Equal.
        case equal = "=="
        /// Not equal.
        case notEqual = "!="
        /// Less, unsigned.
        case less = "<"
        /// At most, unsigned.
        case atMost = "<="
        /// Greater, unsigned.
        case greater = ">"
        /// At least, unsigned.
        case atLeast = ">="
        /// Has all these bits.
        case hasBits = "&"
    }

    /// Which argument, from 0 to 5.
    public var index: Int
    /// How it is compared.
    public var comparison: Comparison
    /// With what.
    public var value: UInt64

    /// Makes a condition.
    public init(index: Int, comparison: Comparison, value: UInt64) {
        self.index = index
        self.comparison = comparison
        self.value = value
    }

    /// The bits of a register that equality is about. Many arguments are ints, of which the upper half of a register says
    /// nothing: for values that fit in 32 bits, also as a negative int, it is the lower half.
    public var equalityMask: UInt64 {
        let isInt = value <= UInt64(UInt32.max) || value >= UInt64(bitPattern: Int64(Int32.min))
        return isInt ? 0xFFFF_FFFF : .max
    }

    /// Whether a register's content meets the condition.
    public func isMet(by register: UInt64) -> Bool {
        let mask = equalityMask
        return switch comparison {
        case .equal: register & mask == value & mask
        case .notEqual: register & mask != value & mask
        case .less: register < value
        case .atMost: register <= value
        case .greater: register > value
        case .atLeast: register >= value
        case .hasBits: register & value == value
        }
    }
}

/// Which threads of a process.
public enum ThreadCondition: Codable, Sendable, Equatable {
    /// The one it was born with.
    case main
    /// Every other.
    case other
    /// Those whose name (`/proc/…/comm`) matches this pattern of `fnmatch(3)`.
    case name(String)
}

/// A point with a name: it does nothing by itself, but holds, windows and steps can refer to it.
public struct NamedPoint: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Where it is.
    public var point: Point

    /// Makes one.
    public init(name: String, point: Point) {
        self.name = name
        self.point = point
    }
}

extension Point: CustomStringConvertible {
    /// For people: `runner[0], write on events, 14`.
    public var description: String {
        let what =
            switch place {
            case .calls(let names): names.count > 4 ? "\(names.count) calls" : names.joined(separator: " or ")
            case .line(let pattern): "a line like /\(pattern)/"
            case .mark(let name, let fields):
                "mark \(name)\(fields.isEmpty ? "" : " \(fields.values.sorted().joined(separator: " "))")"
            }
        let on = [conditions.channel, conditions.path, conditions.peer].compactMap(\.self).joined(separator: ", ")
        let times =
            window.nth.lower == window.nth.upper ? "\(window.nth.lower)" : "\(window.nth.lower)..\(window.nth.upper)"
        let thread =
            switch conditions.thread {
            case nil: ""
            case .main: " by the main thread"
            case .other: " by another thread"
            case .name(let pattern): " by thread \(pattern)"
            }
        return "\(includesDescendants ? "under " : "")\(roles), \(what)\(on.isEmpty ? "" : " on \(on)")\(thread)"
            + "\(moment == .exit ? " at return" : ""), time \(times)"
    }
}
