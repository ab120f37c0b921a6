public import Checkers
public import Exploration
public import Reports

/// What a certification says of a tree: the verdict, what it rests on, and whether the suite that gave it catches what it should.
public struct Certificate: Codable, Sendable {
    /// The verdict on the tree: the suite's and the exploration's together.
    public var verdict: Verdict
    /// Whether it counts: every control was caught. Nil when no controls were run.
    public var counts: Bool?
    /// The suite's trials of the tree: which tree, how many, the bound on the rate of failures, the findings.
    public var suite: RunSummary
    /// The exploration's; nil when there was none.
    public var exploration: RunSummary?
    /// What of the window the exploration saw.
    public var coverage: [ExplorationCoverage.Part]
    /// Base scenarios of the exploration that could not be judged even without a fault.
    public var unexplored: [String]
    /// Whether somebody interrupted it.
    public var interrupted: Bool
    /// What became of each control.
    public var controls: [ControlResult]

    /// What an exploration adds to the verdict of the suite; nil where it held.
    static func part(of exploration: RunSummary) -> RunPart? {
        guard exploration.verdict != .held else { return nil }
        let counts = "\(exploration.violated) violated, \(exploration.inconclusive) inconclusive"
        let reasons = (exploration.parts ?? []).map { "; \($0.text)" }.joined()
        return RunPart(
            name: "exploration", verdict: exploration.verdict,
            text:
                "the exploration is \(exploration.verdict.rawValue): \(exploration.trials) trials, \(counts)\(reasons)")
    }
}

/// What became of one control.
public struct ControlResult: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// What showed it; nil when nothing did.
    public var finding: String?
    /// Whether a scenario of the suite showed it; otherwise the exploration did.
    public var bySuite: Bool
    /// The scenario that did.
    public var scenario: String?
    /// How many trials were made until then, or in all.
    public var trials: Int
    /// How long they took, in seconds.
    public var seconds: Double
}
