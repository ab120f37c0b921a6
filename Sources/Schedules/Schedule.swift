public import Scenarios

/// What fires when in one trial: the scenario's faults with every span drawn. The same scenario and seed always give the
/// same schedule, on any machine.
public struct Schedule: Sendable, Equatable {
    /// One fault, with nothing left open.
    public struct Decision: Sendable, Equatable {
        /// The fault it comes from.
        public let fault: Fault
        /// Which time at the point, from 1; 1 for a fault placed by time.
        public let nth: Int
        /// How long the fault lasts (a delay, a stop), in nanoseconds; nil when it has no length.
        public let length: Int64?
        /// How long after its step a fault placed by time fires, in nanoseconds.
        public let after: Int64?
    }

    /// One decision per fault, in the scenario's order.
    public let decisions: [Decision]

    /// Draws a schedule.
    public init(of scenario: Scenario, seed: UInt64) {
        var draw = SplitMix64(seed: seed)
        decisions = scenario.faults.map { fault in
            var nth = 1
            var after: Int64?
            switch fault.trigger {
            case .point(let point): nth = draw.number(in: point.nth.lower...max(point.nth.lower, point.nth.upper))
            case .time(let span, _): after = draw.nanoseconds(in: span)
            }
            return Decision(fault: fault, nth: nth, length: Self.length(of: fault.action, &draw), after: after)
        }
    }

    private static func length(of action: Fault.Action, _ draw: inout SplitMix64) -> Int64? {
        switch action {
        case .delay(let span): draw.nanoseconds(in: span)
        case .stop(_, let span): span.map { draw.nanoseconds(in: $0) }
        case .kill, .resume, .errno, .close: nil
        }
    }
}

/// Counts how often each role has reached each fault's point, and says when the fault fires.
public struct PointCounter: Sendable {
    private var counts: [[Role: Int]]
    private let windows: [(first: Int, times: Int?)]

    /// A counter at zero for every decision of the schedule.
    public init(_ schedule: Schedule) {
        counts = Array(repeating: [:], count: schedule.decisions.count)
        windows = schedule.decisions.map { decision in
            guard case .point(let point) = decision.fault.trigger else { return (decision.nth, 0) }
            return (decision.nth, point.times)
        }
    }

    /// Counts one arrival of a role at the point of decision `index`.
    /// - Returns: which time it is, if the fault fires this time.
    public mutating func arrive(_ role: Role, at index: Int) -> Int? {
        let count = counts[index][role, default: 0] + 1
        counts[index][role] = count
        let window = windows[index]
        guard count >= window.first else { return nil }
        guard let times = window.times else { return count }
        return count < window.first + times ? count : nil
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
