public import Benchmarks
import Exploration
import Foundation
public import Reports
public import Scenarios
import Topologies

/// Measures how soon each method finds each control: the methods of a row one after the other, seed by seed, so that what the
/// machine does meanwhile is the same for all.
public struct DetectCampaign: Sendable {
    /// A tree in which something is looked for.
    public struct Row: Sendable {
        /// What it is called: its control, or what stands for none.
        public var name: String
        /// The tree; nil for scenarios that bring their own programs.
        public var tree: TargetTree?
        /// Its identity.
        public var identity: TargetIdentity?

        /// Makes a row.
        public init(name: String, tree: TargetTree?, identity: TargetIdentity?) {
            self.name = name
            self.tree = tree
            self.identity = identity
        }
    }

    /// Where it is.
    public struct Progress: Sendable {
        /// The run that just ended.
        public let run: DetectionRun
        /// How many runs there were, those of a resumed measurement included.
        public let done: Int
        /// At most how many there will be yet.
        public let left: Int
        /// About how long these will take, in seconds.
        public let secondsLeft: Double
    }

    private let rows: [Row]
    private let bases: [Scenario]
    private let methods: [DetectionMethod]
    private let settings: DetectionSettings
    private let campaign: Campaign

    /// Makes one.
    /// - Parameter campaign: everything about the trials but their scenarios and their tree.
    public init(
        rows: [Row], bases: [Scenario], methods: [DetectionMethod], settings: DetectionSettings, campaign: Campaign
    ) {
        self.rows = rows
        self.bases = bases
        self.methods = methods
        self.settings = settings
        var campaign = campaign
        campaign.scenarios = []
        campaign.keepsOnlyWhatTells = true
        self.campaign = campaign
    }

    /// Runs what has not been run yet.
    /// - Returns: all runs, with those that were there.
    /// - Throws: `CertificationError` when results cannot be kept, `ReportError` likewise, `ExplorationError` when a base scenario has no
    ///   shutdown.
    public func run(
        _ store: DetectionStore, directory: RunDirectory, stop: StopSignal, progress: (Progress) -> Void
    ) async throws -> [DetectionRun] {
        var runs = store.runs.filter { run in
            rows.contains { $0.name == run.row && $0.identity?.treeHash == run.tree }
        }
        for row in rows {
            for turn in 0..<settings.seeds {
                for index in methods.indices {
                    // Each round begins with another, so that none always comes after the same.
                    let method = methods[(index + turn) % methods.count]
                    let seed = settings.firstSeed &+ UInt64(turn)
                    let own = runs.filter { $0.row == row.name && $0.method == method }
                    guard !own.contains(where: { $0.seed == seed }), !settings.isDecided(own) else { continue }
                    let run = try await look(row, method, seed, directory, stop)
                    guard !stop.isSet else { return runs }
                    try store.append(run)
                    runs.append(run)
                    progress(state(run, runs))
                }
            }
        }
        return runs
    }

    private func state(_ run: DetectionRun, _ runs: [DetectionRun]) -> Progress {
        var left = 0
        for row in rows {
            for method in methods {
                let own = runs.filter { $0.row == row.name && $0.method == method }
                if !settings.isDecided(own) { left += settings.seeds - own.count }
            }
        }
        let mean = runs.map(\.seconds).reduce(0, +) / Double(max(1, runs.count))
        return Progress(run: run, done: runs.count, left: left, secondsLeft: mean * Double(left))
    }

    /// Looks once.
    private func look(
        _ row: Row, _ method: DetectionMethod, _ seed: UInt64, _ directory: RunDirectory, _ stop: StopSignal
    ) async throws -> DetectionRun {
        let scratch = try directory.below("scratch")
        defer { try? FileManager.default.removeItem(atPath: scratch.path) }
        var campaign = campaign
        campaign.target = row.tree
        campaign.seed = seed
        // What one has without Fracas's gate has no warm starts either.
        // Its interpreters are part of what a run has to start.
        campaign.warm = DetectionMethod.baselines.contains(method) ? nil : campaign.warm?.anew
        if campaign.warm != nil, let jobs = settings.warmJobs { campaign.jobs = jobs }
        let place = URL(fileURLWithPath: scratch.path).path
        campaign.sandbox.writable.append(place)
        let hunt = try hunt(method, seed, scratch)
        return try await stop.follow { ended in
            let source = DetectionSource(
                hunt, trials: settings.capTrials, time: .seconds(settings.capSeconds), ended: ended)
            // What is under way when the time is over finds nothing any more: there is no need to wait for it.
            let timer = Task { [capSeconds = settings.capSeconds] in
                try await Task.sleep(for: .seconds(capSeconds))
                ended.set()
            }
            let summary = await campaign.run(
                source, identity: row.identity, directory: scratch, stop: ended
            ) { _, _ in }
            timer.cancel()
            let outcome = source.outcome
            if let trouble = outcome.trouble { throw CertificationError(trouble) }
            if let ledger = outcome.first?.ledger { keep(ledger, row, method, directory) }
            return DetectionRun(
                row: row.name, tree: row.identity?.treeHash, method: method, seed: seed,
                finding: outcome.first?.signature, cause: outcome.first?.cause,
                trials: outcome.trials, seconds: outcome.first?.seconds ?? min(summary.seconds, settings.capSeconds),
                inconclusive: outcome.inconclusive)
        }
    }

    private func hunt(
        _ method: DetectionMethod, _ seed: UInt64, _ scratch: RunDirectory
    ) throws -> any Hunt & Sendable {
        let strategy: Explorer.Strategy
        switch method {
        case .plain: strategy = .plain
        case .random: strategy = .random
        case .sweep: strategy = .sweep
        case .inversion: strategy = .inversion
        case .explore: strategy = .guided
        case .strace:
            guard let program = Strace.path else {
                throw CertificationError("strace is not in PATH: install it (apt-get install strace), or leave it out")
            }
            // Without faults and what waits for them, as the others get them.
            let bases = try bases.map { try Sweep($0, window: Explorer.usualWindow, roles: nil).base }
            let log = URL(fileURLWithPath: scratch.path).appendingPathComponent("strace").path
            return StraceHunt(bases: bases, program: program, log: log, seed: seed)
        }
        return try Explorer(bases, window: Explorer.usualWindow, strategy: strategy, seed: seed)
    }

    /// One ledger of each row and method is kept, the first. That it could not be is no reason to stop measuring.
    private func keep(_ ledger: String, _ row: Row, _ method: DetectionMethod, _ directory: RunDirectory) {
        let place = "\(directory.path)/ledgers/\(row.name)-\(method.rawValue).jsonl"
        guard !FileManager.default.fileExists(atPath: place) else { return }
        try? FileManager.default.moveItem(atPath: ledger, toPath: place)
    }
}
