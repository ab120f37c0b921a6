import Foundation
import Testing

/// The crash sweep of docs/deployment-safety.md, at a sample of its points: a deployment and a rollback hold wherever they are
/// broken off, and the control shows that the sweep can tell.
@Suite("Sweeping deployments", .serialized)
struct DeploymentSweepTests {
    /// Where it really is: a trial sees that directory, and not the links that lead to it.
    private static let program = URL(fileURLWithPath: Command.program).resolvingSymlinksInPath().path

    private func sweep(
        _ kind: String, _ faults: [String], sample: Int, full: String = ""
    ) throws -> (status: Int32, text: String) {
        let directory = try Command.temporaryDirectory()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "\(Command.root)/scenarios/deployments/sweep.sh")
        process.arguments = [kind, "\(directory)/sweep"] + faults
        process.environment = ProcessInfo.processInfo.environment.merging([
            "FRACAS": Self.program, "PYTHON": Command.python, "SAMPLE": "\(sample)", "FULL": full,
        ]) { $1 }
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        let (status, text) = try process.runToEnd()
        if status == 0 { try? FileManager.default.removeItem(atPath: directory) }
        return (status, text)
    }

    @Test(arguments: ["deploy", "rollback", "recovery"])
    func nothingIsTorn(kind: String) throws {
        let kills = try sweep(kind, ["kill"], sample: 40)
        #expect(kills.status == 0, "\(kills.text)")
        let errors = try sweep(kind, ["ENOSPC", "EINTR"], sample: 80)
        #expect(errors.status == 0, "\(errors.text)")
    }

    /// Likewise on a disk of which 98 percent are in use.
    @Test(.enabled(if: geteuid() == 0, "mounting needs root"), arguments: ["deploy", "rollback", "recovery"])
    func nothingIsTornOnAFullDisk(kind: String) throws {
        let swept = try sweep(kind, ["kill", "ENOSPC"], sample: 100, full: "98")
        #expect(swept.status == 0, "\(swept.text)")
    }

    @Test func theControlIsFoundTorn() throws {
        let (status, text) = try sweep("cp", ["kill"], sample: 10)
        #expect(text.contains("printed: wrong: torn: the tree is neither the old nor the new release"), "\(text)")
        #expect(status != 0)
    }

    /// The scenario of the guide: killed under load, recovered, deployed again, rolled back.
    @Test func aKilledDeploymentUnderLoad() throws {
        let directory = try Command.temporaryDirectory()
        let command = try Command.run(
            [
                "run", "\(Command.root)/scenarios/deployments/deploy-killed-under-load.yaml", "--trials", "3",
                "--python", Command.python,
            ], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        if command.status == 0 { try? FileManager.default.removeItem(atPath: directory) }
    }
}
