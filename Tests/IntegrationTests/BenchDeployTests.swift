import Benchmarks
import Foundation
import Testing

/// `fracas bench deploy` measures everything that it says, and leaves nothing.
@Suite("Bench deploy")
struct BenchDeployTests {
    @Test func everyRowIsShown() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let scratch = "\(directory)/scratch"
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        let command = try Command.run(
            ["bench", "deploy", "--files", "50", "--rounds", "1", "--scratch", scratch, "--format", "json"],
            in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        let report = try JSONDecoder().decode(BenchmarkReport.self, from: Data(command.output.utf8))
        let names = report.rows.map(\.name)
        for row in [
            "fracas deploy", "fracas rollback", "cp -al, ten files, symlink, sync", "symlink switch",
            "service's own stop and start", "fracas service stop + start", "downtime of deploy",
            "downtime of rollback", "downtime of own stop and start", "peak memory of deploy",
            "peak memory of rollback",
        ] {
            #expect(names.contains("50 files: \(row)"), "\(row) is not in \(names), \(report.notMeasured)")
        }
        // What a machine has not got is said, never left out in silence.
        let isCompared = names.contains("50 files: tar + rsync -a + sync")
        #expect(isCompared != report.notMeasured.contains { $0.hasPrefix("rsync") })
        #expect(report.ratios.count == (isCompared ? 7 : 6), "\(report.ratios.map(\.name))")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch).isEmpty)
    }

    @Test func sizesOutOfBoundsAreRefused() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try Command.run(["bench", "deploy", "--files", "3"], in: directory)
        #expect(command.status == 2 && command.errors.contains("--files must be from 10"), "\(command.errors)")
    }
}
