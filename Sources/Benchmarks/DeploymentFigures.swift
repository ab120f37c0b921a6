/// Figures of deployments by row and round, and what is aimed at.
package struct DeploymentFigures {
    private var order: [(name: String, unit: String)] = []
    private var values: [String: [Int: Double]] = [:]

    package init() {}

    /// Records a row's figure of a round.
    package mutating func add(_ name: String, _ unit: String, round: Int, _ value: Double) {
        if values[name] == nil { order.append((name, unit)) }
        values[name, default: [:]][round] = value
    }

    /// Every row, in the order in which it first had a figure.
    package var rows: [BenchmarkReport.Row] {
        order.map { row in
            .init(name: row.name, unit: row.unit, figure: .init(Array((values[row.name] ?? [:]).values)))
        }
    }

    /// The quotients of the rounds in which both rows have a figure.
    package func quotient(_ name: String, over other: String, atMost: Double? = nil) -> BenchmarkReport.Ratio? {
        compare("\(name) / \(Self.bare(other))", pairs(name, other).filter { $0.1 > 0 }.map { $0 / $1 }, atMost, "")
    }

    /// By how much one row is more than another, of the rounds in which both have a figure.
    package func difference(_ name: String, over other: String, atMost: Double? = nil) -> BenchmarkReport.Ratio? {
        compare("\(name) - \(Self.bare(other)), ms", pairs(name, other).map { $0 - $1 }, atMost, " ms")
    }

    /// A row that is held to a bound by itself.
    package func bound(_ name: String, unit: String, atMost: Double) -> BenchmarkReport.Ratio? {
        compare("\(name), \(unit)", Array((values[name] ?? [:]).values), atMost, " \(unit)")
    }

    /// A row's name without the size, which the name that it is compared with has.
    private static func bare(_ name: String) -> String {
        name.firstRange(of: " files: ").map { String(name[$0.upperBound...]) } ?? name
    }

    private func pairs(_ name: String, _ other: String) -> [(Double, Double)] {
        (values[name] ?? [:]).sorted { $0.key < $1.key }.compactMap { round, value in
            values[other]?[round].map { (value, $0) }
        }
    }

    private func compare(_ name: String, _ values: [Double], _ most: Double?, _ unit: String) -> BenchmarkReport.Ratio?
    {
        guard !values.isEmpty else { return nil }
        let figure = BenchmarkReport.Figure(values)
        return .init(
            name: name, figure: figure, aim: most.map { "at most \($0)\(unit)" },
            isMet: most.map { figure.median <= $0 }
        )
    }
}

/// What a prober saw of a service, in the order in which it asked.
package struct ProbeRecord {
    /// When the first question without an answer was asked; nil when all were answered.
    private(set) var failed: Int64?
    /// When the first answer after that had come.
    private(set) var answered: Int64?

    package init() {}

    /// Records one question: when it was asked, when it was over, and whether it was answered.
    package mutating func add(asked: Int64, over: Int64, isAnswered: Bool) {
        if !isAnswered {
            if failed == nil { failed = asked }
            // A service that fails again was not back yet.
            answered = nil
        } else if failed != nil, answered == nil {
            answered = over
        }
    }

    /// Whether the service answers, as far as is known.
    package var isUp: Bool { failed == nil || answered != nil }

    /// Milliseconds from the first failure to the answer after the last one; nil when none was seen, or it did not come back.
    package var downtime: Double? {
        guard let failed, let answered else { return nil }
        return Double(answered - failed) / 1e6
    }
}
