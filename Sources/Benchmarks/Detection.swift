import Foundation

/// A way of looking for a race.
public enum DetectionMethod: String, Codable, Sendable, CaseIterable {
    /// The scenarios as they are, over and over.
    case plain
    /// The gate's faults, drawn at random.
    case random
    /// strace's faults, drawn at random.
    case strace
    /// Every kill and delay, one after the other.
    case sweep
    /// Order inversions only.
    case inversion
    /// All of it, by what is still unseen.
    case explore

    /// What the others are compared with.
    public static let own = explore
    /// Those that do without the gate.
    public static let baselines = [plain, strace]

    /// Whether each trial is drawn anew, whatever the ones before it have shown.
    public var isMemoryless: Bool { [.plain, .random, .strace].contains(self) }
}

/// Looking once: one row, method and seed.
public struct DetectionRun: Codable, Sendable, Equatable {
    /// The control's name, or what stands for the release without one.
    public var row: String
    /// The tree's hash, with the control in it; nil without a target.
    public var tree: String?
    /// How it was looked for.
    public var method: DetectionMethod
    /// The seed.
    public var seed: UInt64
    /// The first violation's signature; nil for a miss.
    public var finding: String?
    /// What that trial had tried.
    public var cause: String?
    /// Trials that came to an end, up to and with the first violation's.
    public var trials: Int
    /// How long it took.
    public var seconds: Double
    /// Trials that could not be judged: they count, as their time does.
    public var inconclusive: Int

    /// Makes one.
    public init(
        row: String, tree: String?, method: DetectionMethod, seed: UInt64, finding: String?, cause: String?,
        trials: Int, seconds: Double, inconclusive: Int
    ) {
        self.row = row
        self.tree = tree
        self.method = method
        self.seed = seed
        self.finding = finding
        self.cause = cause
        self.trials = trials
        self.seconds = seconds
        self.inconclusive = inconclusive
    }
}

/// How the looking was done: figures of different settings say nothing of each other.
public struct DetectionSettings: Codable, Sendable, Equatable {
    /// How many seeds, an odd number, so that one of them is in the middle.
    public var seeds: Int
    /// The first of them.
    public var firstSeed: UInt64
    /// The longest that one run may look, in seconds.
    public var capSeconds: Double
    /// The most trials of one run.
    public var capTrials: Int
    /// How many trials side by side.
    public var jobs: Int
    /// How many where they are started warm; nil where none is.
    public var warmJobs: Int?
    /// The base scenarios' names.
    public var scenarios: [String]
    /// The tree without a control.
    public var tree: String?

    /// Makes settings.
    public init(
        seeds: Int, firstSeed: UInt64, capSeconds: Double, capTrials: Int, jobs: Int, warmJobs: Int? = nil,
        scenarios: [String], tree: String?
    ) {
        self.seeds = seeds
        self.firstSeed = firstSeed
        self.capSeconds = capSeconds
        self.capTrials = capTrials
        self.jobs = jobs
        self.warmJobs = warmJobs
        self.scenarios = scenarios
        self.tree = tree
    }

    /// Whether more seeds would not change the median: all were run, or more than half are misses.
    public func isDecided(_ runs: [DetectionRun]) -> Bool {
        runs.count >= seeds || runs.count { $0.finding == nil } * 2 > seeds
    }
}

/// What came of all the looking.
public struct DetectionReport: Codable, Sendable, Equatable {
    /// The middle one of a row's runs by one method.
    public struct Median: Codable, Sendable, Equatable {
        /// The figure; of a miss what was spent in vain, which the true one exceeds.
        public let value: Double
        /// Whether it is a miss.
        public let isMiss: Bool

        /// Makes one.
        public init(value: Double, isMiss: Bool) {
            self.value = value
            self.isMiss = isMiss
        }
    }

    /// One row, one method.
    public struct Cell: Codable, Sendable, Equatable {
        /// The method.
        public let method: DetectionMethod
        /// How many runs there were.
        public let runs: Int
        /// In how many nothing was found.
        public let misses: Int
        /// How many trials could not be judged.
        public let inconclusive: Int
        /// How many could.
        public let judged: Int
        /// Trials to the first violation; nil while undecided.
        public let trials: Median?
        /// Seconds to the first violation; nil while undecided.
        public let seconds: Median?
        /// The median of the seconds that the rate stands for at which a memoryless method found: what its runs spent together over how many
        /// of them found, times ln 2, which is the most likely where searches are cut off (J. F. Lawless, "Statistical Models and Methods
        /// for Lifetime Data", 2003, 4.1). A miss where none did: as if one had, which the true one exceeds.
        public let estimate: Median?

        /// Whether the median run found something.
        public var isFound: Bool { seconds?.isMiss == false }
    }

    /// One control, or the release without one.
    public struct Row: Codable, Sendable, Equatable {
        /// Its name.
        public let name: String
        /// Its methods.
        public let cells: [Cell]

        func cell(_ method: DetectionMethod) -> Cell? { cells.first { $0.method == method } }
    }

    /// A method, or the best of several, against ours.
    public struct Comparison: Codable, Sendable, Equatable {
        /// The methods: of several, at each control the one that found it soonest.
        public let methods: [DetectionMethod]
        /// Over how many controls.
        public let controls: Int
        /// The geometric mean of their median seconds over ours.
        public let seconds: Double
        /// The geometric mean of their median trials over ours.
        public let trials: Double
        /// The same of the seconds with their estimates for medians; nil for methods that are not memoryless.
        public let estimated: Double?
        /// In how many they missed: there the figure is less than the true one.
        public let misses: Int
        /// In how many ours missed: there it counts with the cap, and the true figure may be greater.
        public let ownMisses: Int

        /// Whether the means are less than the true ones.
        public var isAtLeast: Bool { misses > 0 && ownMisses == 0 }
    }

    /// How it was done.
    public let settings: DetectionSettings
    /// The controls.
    public let rows: [Row]
    /// The release without a control; nil if it was not run.
    public let clean: Row?
    /// How the methods without the gate compare with ours.
    public let comparisons: [Comparison]

    /// Makes one out of runs.
    /// - Parameter clean: the name of the release without a control.
    public init(_ runs: [DetectionRun], rows names: [String], clean: String, settings: DetectionSettings) {
        self.settings = settings
        let rows = names.map { Self.row($0, runs.filter { [row = $0] in $0.row == row }, settings) }
        let controls = rows.filter { $0.name != clean }
        self.rows = controls
        self.clean = rows.first { $0.name == clean }
        comparisons = (DetectionMethod.baselines.map { [$0] } + [DetectionMethod.baselines]).compactMap {
            Self.comparison($0, controls, settings)
        }
    }

    /// How many controls a method found; nil when it was not run.
    public func found(_ method: DetectionMethod) -> Int? {
        let cells = rows.compactMap { $0.cell(method) }
        return cells.isEmpty ? nil : cells.count(where: \.isFound)
    }

    /// Methods that found something where there is nothing: what they find elsewhere proves nothing.
    public var falseAlarms: [DetectionMethod] {
        clean?.cells.filter { $0.runs > $0.misses }.map(\.method) ?? []
    }

    /// Methods of which nobody knows whether they find something where there is nothing: on the release without a control they were
    /// not run to the end, or none of their trials could be judged.
    public var unproven: [DetectionMethod] {
        let used = Set(rows.flatMap(\.cells).map(\.method))
        let proven = (clean?.cells ?? []).filter { $0.seconds != nil && $0.judged > 0 }.map(\.method)
        return DetectionMethod.allCases.filter { used.contains($0) && !proven.contains($0) }
    }

    private static func row(_ name: String, _ runs: [DetectionRun], _ settings: DetectionSettings) -> Row {
        Row(
            name: name,
            cells: DetectionMethod.allCases.compactMap { method in
                let own = runs.filter { $0.method == method }
                guard !own.isEmpty else { return nil }
                return Cell(
                    method: method, runs: own.count, misses: own.count { $0.finding == nil },
                    inconclusive: own.map(\.inconclusive).reduce(0, +),
                    judged: own.map { max(0, $0.trials - $0.inconclusive) }.reduce(0, +),
                    // Even one that found nothing for want of time would have needed a trial.
                    trials: median(own, settings) { Double(max(1, $0.trials)) },
                    seconds: median(own, settings, of: \.seconds),
                    estimate: method.isMemoryless ? estimate(own) : nil)
            })
    }

    /// The middle one, misses after all others. Runs that were left out because most were misses might have found something, so of
    /// the misses it is the least.
    private static func median(
        _ runs: [DetectionRun], _ settings: DetectionSettings, of figure: (DetectionRun) -> Double
    ) -> Median? {
        guard settings.isDecided(runs) else { return nil }
        let found = runs.filter { $0.finding != nil }.map(figure).sorted()
        let middle = settings.seeds / 2
        if found.indices.contains(middle) { return Median(value: found[middle], isMiss: false) }
        return runs.filter { $0.finding == nil }.map(figure).min().map { Median(value: $0, isMiss: true) }
    }

    private static func estimate(_ runs: [DetectionRun]) -> Median {
        let found = runs.count { $0.finding != nil }
        let spent = runs.map(\.seconds).reduce(0, +)
        return Median(value: spent / Double(max(1, found)) * log(2), isMiss: found == 0)
    }

    private static func comparison(
        _ methods: [DetectionMethod], _ rows: [Row], _ settings: DetectionSettings
    ) -> Comparison? {
        var seconds: [Double] = []
        var trials: [Double] = []
        var estimates: [Double] = []
        var misses = 0
        var ownMisses = 0
        for row in rows {
            let others = methods.compactMap(row.cell).filter { $0.judged > 0 }
            let medians = (seconds: others.compactMap(\.seconds), trials: others.compactMap(\.trials))
            guard others.count == methods.count, medians.seconds.count == methods.count,
                // The least figure of all is one that the best cannot be under, whoever missed.
                let otherSeconds = medians.seconds.min(by: { $0.value < $1.value }),
                let otherTrials = medians.trials.min(by: { $0.value < $1.value }),
                let own = row.cell(.own), let ownSeconds = own.seconds, let ownTrials = own.trials
            else { continue }
            misses += otherSeconds.isMiss ? 1 : 0
            ownMisses += own.isFound ? 0 : 1
            // Ours counts with the whole cap where it missed, even if it had given up before.
            let spent = own.isFound ? ownSeconds.value : settings.capSeconds
            if others.allSatisfy({ $0.estimate != nil }), let least = others.compactMap(\.estimate?.value).min() {
                estimates.append(least / spent)
            }
            seconds.append(otherSeconds.value / spent)
            trials.append(otherTrials.value / (own.isFound ? ownTrials.value : Double(settings.capTrials)))
        }
        guard let meanSeconds = geometricMean(seconds), let meanTrials = geometricMean(trials) else { return nil }
        return Comparison(
            methods: methods, controls: seconds.count, seconds: meanSeconds, trials: meanTrials,
            estimated: estimates.count == seconds.count ? geometricMean(estimates) : nil, misses: misses,
            ownMisses: ownMisses)
    }
}
