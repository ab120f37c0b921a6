import Foundation
import Glibc
import Platform

/// What a deployment and a rollback cost, beside what operators do without Fracas, for trees of several sizes of which ten files change.
public struct DeploymentBenchmark: Sendable {
    /// The path of the `fracas` that deploys.
    public var fracas: String
    /// The path of `fracas-load`, which is the service.
    public var load: String
    /// The sizes of the trees.
    public var files: [Int]
    /// How many rounds.
    public var rounds: Int
    /// Where the trees are made: on the file system that is measured.
    public var scratch: String
    /// How many milliseconds the service takes until it listens.
    public var serviceStart: Int
    /// Whether it is to end soon.
    public var isStopped: @Sendable () -> Bool

    /// Makes a benchmark.
    public init(
        fracas: String, load: String, files: [Int], rounds: Int, scratch: String, serviceStart: Int,
        isStopped: @escaping @Sendable () -> Bool
    ) {
        self.fracas = fracas
        self.load = load
        self.files = files
        self.rounds = rounds
        self.scratch = scratch
        self.serviceStart = serviceStart
        self.isStopped = isStopped
    }

    /// Measures. Whatever happens, the services are stopped and the trees are removed.
    /// - Parameter progress: called before each part with what it is.
    /// - Throws: `BenchmarkError` when something cannot be run.
    public func run(progress: (String) -> Void) throws -> BenchmarkReport {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let candidates: [String] = path.split(separator: ":").map { "\($0)/rsync" }
        let rsync = candidates.first { access($0, X_OK) == 0 }
        var figures = DeploymentFigures()
        var notMeasured: Set<String> = []
        if rsync == nil { notMeasured.insert("rsync: it is not in PATH (apt-get install rsync)") }
        for size in files {
            let directory = "\(scratch)/fracas-bench-\(UUID().uuidString)"
            let site = DeploymentSite(
                benchmark: self, tree: BenchmarkTree(root: "\(directory)/tree", files: size), directory: directory,
                port: try ServiceProber.freePort(), ownPort: try ServiceProber.freePort(), rsync: rsync)
            defer { site.remove() }
            progress("\(size) files: the tree")
            try site.make()
            for round in 1...rounds {
                progress("\(size) files: round \(round) of \(rounds)")
                try site.measure(round, &figures, &notMeasured)
            }
        }
        return BenchmarkReport(
            rounds: rounds, rows: figures.rows, ratios: files.flatMap { Self.ratios(figures, $0) },
            notMeasured: notMeasured.sorted(),
            host:
                "Linux \(KernelVersion.running.major).\(KernelVersion.running.minor), \(ProcessInfo.processInfo.activeProcessorCount) cores"
        )
    }

    /// What is aimed at, for trees of one size.
    package static func ratios(_ figures: DeploymentFigures, _ size: Int) -> [BenchmarkReport.Ratio] {
        func name(_ row: DeploymentSite.Row) -> String { row.name(size) }
        return [
            figures.quotient(name(.deploy), over: name(.operators), atMost: 3),
            figures.quotient(name(.deploy), over: name(.hardLinks)),
            figures.difference(name(.rollback), over: name(.restart), atMost: 20),
            figures.quotient(name(.deployDowntime), over: name(.restartDowntime), atMost: 1.2),
            figures.quotient(name(.rollbackDowntime), over: name(.restartDowntime), atMost: 1.2),
            figures.bound(name(.deployMemory), unit: "MB", atMost: 100),
            figures.bound(name(.rollbackMemory), unit: "MB", atMost: 100),
        ].compactMap(\.self)
    }
}
