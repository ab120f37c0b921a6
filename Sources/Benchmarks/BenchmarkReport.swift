/// What a benchmark measured: each row's figures, and the ratios between rows of the same round.
public struct BenchmarkReport: Codable, Sendable {
    /// A figure with its spread.
    public struct Figure: Codable, Sendable {
        /// The least.
        public let minimum: Double
        /// The middle one: what to quote.
        public let median: Double
        /// The greatest.
        public let maximum: Double

        init(_ values: [Double]) {
            let sorted = values.sorted()
            minimum = sorted.first ?? 0
            maximum = sorted.last ?? 0
            let middle = sorted.count / 2
            median =
                sorted.isEmpty
                ? 0 : sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        }
    }

    /// One way of doing the same work.
    public struct Row: Codable, Sendable {
        /// What was run.
        public let name: String
        /// The unit of its figures.
        public let unit: String
        /// How long it took.
        public let figure: Figure
    }

    /// How one way compares with another, round by round.
    public struct Ratio: Codable, Sendable {
        /// What is compared: `gate / bare loop`.
        public let name: String
        /// The quotients of the rounds.
        public let figure: Figure
        /// What is aimed at: `at most 1.15`; nil where it is only told.
        public let aim: String?
        /// Whether the median meets it; nil without an aim.
        public let isMet: Bool?
    }

    /// How many rounds there were; in each, everything was run once, one after the other.
    public let rounds: Int
    /// The rows, in the order in which they ran.
    public let rows: [Row]
    /// The ratios.
    public let ratios: [Ratio]
    /// What could not be measured here, and why.
    public let notMeasured: [String]
    /// The kernel and the processors, for the record.
    public let host: String
}

/// Values by row and round, as they come in.
struct Samples {
    private var values: [String: [Double]] = [:]

    mutating func add(_ name: String, _ value: Double) { values[name, default: []].append(value) }

    func row(_ name: String, unit: String) -> BenchmarkReport.Row? {
        values[name].map { .init(name: name, unit: unit, figure: .init($0)) }
    }

    /// The quotients of two rows, each round's figures with each other: that holds where a machine's speed drifts.
    func ratio(_ name: String, over other: String, atMost: Double? = nil, atLeast: Double? = nil) -> BenchmarkReport
        .Ratio?
    {
        guard let above = values[name], let below = values[other], above.count == below.count else { return nil }
        let figure = BenchmarkReport.Figure(zip(above, below).map { $0 / $1 })
        let aim = atMost.map { "at most \($0)" } ?? atLeast.map { "at least \($0)" }
        let isMet = atMost.map { figure.median <= $0 } ?? atLeast.map { figure.median >= $0 }
        return .init(name: "\(name) / \(other)", figure: figure, aim: aim, isMet: isMet)
    }
}
