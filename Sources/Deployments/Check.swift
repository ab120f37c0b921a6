/// One thing that was done or looked at, and how it came out.
public struct Check: Codable, Sendable {
    /// How it came out.
    public enum Outcome: String, Codable, Sendable {
        /// As it should be.
        case passed
        /// Not as it should be, but nothing depends on it.
        case warning
        /// Not as it should be.
        case failed
        /// Not looked at, because it was not asked for or makes no sense here.
        case skipped
    }

    /// What was looked at.
    public var name: String
    /// How it came out.
    public var outcome: Outcome
    /// What was found, and what to do about it.
    public var detail: String
    /// The figure that was measured, when it is one.
    public var value: Double?
    /// The bound it was held against.
    public var threshold: Double?
    /// The unit of both.
    public var unit: String?

    /// Makes a check.
    init(
        _ name: String, _ outcome: Outcome, _ detail: String, value: Double? = nil, threshold: Double? = nil,
        unit: String? = nil
    ) {
        self.name = name
        self.outcome = outcome
        self.detail = detail
        self.value = value
        self.threshold = threshold
        self.unit = unit
    }

    /// A figure that must not be above a bound.
    static func bounded(_ name: String, _ value: Double, atMost threshold: Double, _ unit: String, _ remedy: String)
        -> Check
    {
        let shown = "\((value * 100).rounded() / 100) \(unit), allowed \(threshold) \(unit)"
        return Check(
            name, value <= threshold ? .passed : .failed, value <= threshold ? shown : "\(shown): \(remedy)",
            value: value, threshold: threshold, unit: unit)
    }

    /// A command that says by its exit code how it comes out.
    /// - Parameter deadline: on the monotonic clock, in nanoseconds.
    public static func command(_ name: String, _ command: [String], _ tree: DeploymentTree, deadline: Int64) -> Check {
        do {
            let result = try CommandRunner.run(command, in: tree.root, deadline: deadline)
            return Check(name, result.status == 0 ? .passed : .failed, result.says)
        } catch { return Check(name, .failed, error.description) }
    }
}
