/// Something befell the trial from outside: what it brought about, no target is to blame for.
public struct Disturbance: Codable, Sendable, Equatable {
    /// What befell it.
    public enum Kind: String, Codable, Sendable {
        /// Fracas itself stood still, or the whole machine did: stopped by a signal, paused, or without a processor for so long.
        case stoodStill
        /// The host slept: clocks that count sleep have jumped.
        case slept
        /// Processes of the trial were ready to run and had no processor.
        case starved
        /// Threads of Fracas's that serve the trial were, while its stopped calls waited for them.
        case fracasStarved
        /// The trial's init was ended by somebody else, and every process of the trial with it.
        case ended
    }
    /// What befell it.
    public var kind: Kind
    /// When it began, in nanoseconds since the trial did; nil for what adds up over the whole trial.
    public var from: Int64?
    /// How long it was, or adds up to, in nanoseconds; nil for what has no length.
    public var length: Int64?
    /// Makes one.
    public init(kind: Kind, from: Int64? = nil, length: Int64? = nil) {
        self.kind = kind
        self.from = from
        self.length = length
    }
}
