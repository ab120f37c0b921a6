public import Scenarios

/// What fires when in one trial: the scenario's faults and named points with every span drawn. The same scenario and seed
/// always give the same schedule, on any machine.
public struct Schedule: Sendable, Equatable {
    /// One fault or named point, with nothing left open.
    public struct Decision: Sendable, Equatable {
        /// Its name.
        public let name: String
        /// What is done; nil for a named point, at which nothing is.
        public let action: Fault.Action?
        /// Where; nil when it is placed by time.
        public let point: Point?
        /// Which arrival is the first that counts, from 1; 1 for a fault placed by time.
        public let nth: Int
        /// How long the fault lasts (a delay, a stop), in nanoseconds; nil when it has no length.
        public let length: Int64?
        /// How many bytes a short transfer may have; 0 for other faults.
        public let bytes: Int
        /// How long after its step a fault placed by time fires, in nanoseconds.
        public let after: Int64?
        /// The step a fault placed by time counts from; nil means the first.
        public let step: String?
    }

    /// One decision per fault, in the scenario's order, then one per named point.
    public let decisions: [Decision]
    /// The trial's seed.
    public let seed: UInt64

    /// Draws a schedule.
    public init(of scenario: Scenario, seed: UInt64) {
        var draw = SplitMix64(seed: seed)
        self.seed = seed
        decisions =
            scenario.faults.map { Self.decision(on: $0, &draw) }
            + scenario.points.map { named in
                Decision(
                    name: named.name, action: nil, point: named.point, nth: draw.number(in: named.point.window.nth),
                    length: nil, bytes: 0, after: nil, step: nil)
            }
    }

    private static func decision(on fault: Fault, _ draw: inout SplitMix64) -> Decision {
        var nth = 1
        var after: Int64?
        var step: String?
        switch fault.trigger {
        case .point(let point): nth = draw.number(in: point.window.nth)
        case .time(let span, let named):
            after = draw.nanoseconds(in: span)
            step = named
        }
        let length = Self.length(of: fault.action, &draw)
        var bytes = 0
        if case .short(let range) = fault.action { bytes = draw.number(in: range) }
        return Decision(
            name: fault.name, action: fault.action, point: fault.point, nth: nth, length: length, bytes: bytes,
            after: after, step: step)
    }

    private static func length(of action: Fault.Action, _ draw: inout SplitMix64) -> Int64? {
        switch action {
        case .delay(let span), .starve(_, _, let span): draw.nanoseconds(in: span)
        case .stop(_, let span), .freeze(_, let span), .exhaust(_, let span): span.map { draw.nanoseconds(in: $0) }
        case .hold(_, let atMost): draw.nanoseconds(in: Span(atMost))
        case .kill, .resume, .memory, .clock, .errno, .answer, .short, .poke, .close: nil
        }
    }
}

/// Counts how often each role has reached each point of a schedule, and says which arrivals count.
public struct PointCounter: Sendable {
    private struct Window {
        let first: Int
        let times: Int?
        let last: Int
        let every: Int
        /// The probability as a part of 2^32; nil when every arrival counts.
        let threshold: UInt64?
    }

    /// Which arrival at a point one is.
    public struct Arrival: Sendable, Equatable {
        /// Among all at the point, from 1.
        public let nth: Int
        /// Among those by the same of the point's calls; nil where it has only one.
        public let nthOfCall: Int?
    }

    private let windows: [Window]
    /// Where in a role's counts of single calls those of each decision begin; as many as the point's calls.
    private let callPlaces: [Range<Int>]
    private var callCounts: [Int] = []
    private let seed: UInt64
    /// For each role, one count per decision; how many of them counted follows.
    private var counts: [Int] = []
    private var keys: [UInt64] = []
    private var slots: [Role?: Int] = [:]

    /// A counter at zero for every decision of the schedule.
    public init(_ schedule: Schedule) {
        seed = schedule.seed
        var places: [Range<Int>] = []
        for decision in schedule.decisions {
            var count = 0
            if case .calls(let names)? = decision.point?.place, names.count > 1 { count = names.count }
            let begin = places.last?.upperBound ?? 0
            places.append(begin..<(begin + count))
        }
        callPlaces = places
        windows = schedule.decisions.map { decision in
            let window = decision.point?.window ?? Point.Window()
            return Window(
                first: decision.nth, times: window.times, last: window.last ?? .max, every: window.every,
                threshold: window.probability.map { UInt64($0 * 4_294_967_296) })
        }
    }

    /// The number by which a role is counted from now on; processes that are nobody's descendants share one.
    public mutating func slot(of role: Role?) -> Int {
        if let slot = slots[role] { return slot }
        let slot = slots.count
        slots[role] = slot
        // By name, so that the draws are the same whichever role shows itself first: FNV-1a.
        keys.append(
            (role?.description ?? "").utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
        counts += [Int](repeating: 0, count: 2 * windows.count)
        callCounts += [Int](repeating: 0, count: callPlaces.last?.upperBound ?? 0)
        return slot
    }

    /// Counts one arrival at the point of decision `index`. Allocates nothing.
    /// - Parameters:
    ///   - slot: whose, as `slot(of:)` gave it.
    ///   - call: which of the point's calls it is by, from 0, where it has several.
    /// - Returns: which arrival it is, if it counts.
    public mutating func arrive(_ slot: Int, at index: Int, call: Int = 0) -> Arrival? {
        let calls = callPlaces[index]
        var nthOfCall: Int?
        if call < calls.count {
            let place = slot * (callPlaces.last?.upperBound ?? 0) + calls.lowerBound + call
            callCounts[place] += 1
            nthOfCall = callCounts[place]
        }
        let place = 2 * (slot * windows.count + index)
        counts[place] += 1
        let count = counts[place]
        let window = windows[index]
        guard count >= window.first, count <= window.last, (count - window.first) % window.every == 0 else {
            return nil
        }
        if let times = window.times, counts[place + 1] >= times { return nil }
        if let threshold = window.threshold {
            var draw = SplitMix64(seed: seed ^ keys[slot] ^ (UInt64(index) << 48) ^ UInt64(count))
            guard draw.next() >> 32 < threshold else { return nil }
        }
        counts[place + 1] += 1
        return Arrival(nth: count, nthOfCall: nthOfCall)
    }
}

/// Seeds of trials and draws within one: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", OOPSLA 2014), chosen because it is the same everywhere and one word of state.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator that starts from this seed.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number of the range. By the remainder, so that it does not depend on the standard library's own method.
    public mutating func number(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(next() % UInt64(range.count))
    }

    mutating func number(in range: Point.Range) -> Int { number(in: range.lower...max(range.lower, range.upper)) }

    mutating func nanoseconds(in span: Span) -> Int64 {
        let lower = Self.nanoseconds(span.lower)
        let upper = max(lower, Self.nanoseconds(span.upper))
        return Int64(number(in: Int(lower)...Int(upper)))
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, rest) = duration.components
        return min(seconds, 1_000_000) * 1_000_000_000 + rest / 1_000_000_000
    }
}
