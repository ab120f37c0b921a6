import Checkers
import Foundation
import Glibc
import Reports
import Testing

/// A trial has a `/tmp` and a `/var/tmp` of its own: what Fracas needs itself is there all the same, whatever its place is called.
@Suite("Places")
struct PlaceTests {
    private static let program = """
        import asyncio, os, subprocess, sys
        load = sys.argv[1]
        subprocess.run([load, 'calls', '10'], check=True, stdout=subprocess.DEVNULL)
        def look():
            raise KeyError('seen')
        try: look()
        except KeyError: print('done', flush=True)
        """

    /// What a checkout has after it was built, in a directory with a space in its name.
    private func checkout(below base: String) throws -> String {
        let root = "\(base)/fracas test \(UUID().uuidString)"
        let files = FileManager.default
        for directory in [".build/it", "fixtures", "scenarios/topologies"] {
            try files.createDirectory(atPath: "\(root)/\(directory)", withIntermediateDirectories: true)
        }
        let built = URL(fileURLWithPath: Command.program).deletingLastPathComponent().path
        for name in ["fracas", "fracas-launch", "fracas-load", "libfracas-warm.so"] {
            try files.copyItem(atPath: "\(built)/\(name)", toPath: "\(root)/.build/it/\(name)")
        }
        try files.copyItem(atPath: "\(Command.root)/fixtures/probe", toPath: "\(root)/fixtures/probe")
        let environment = Process()
        environment.executableURL = URL(fileURLWithPath: Command.python)
        environment.arguments = ["-m", "venv", "--without-pip", "\(root)/.venv"]
        let made = try environment.runToEnd()
        try #require(made.status == 0, "\(made.text)")
        try Self.program.write(toFile: "\(root)/target.py", atomically: true, encoding: .utf8)
        try """
        processes:
          - role: p
            command: ["${python}", "${here}/../../target.py", "${here}/../../.build/it/fracas-load"]
            warm: {import: [asyncio]}
        """.write(toFile: "\(root)/scenarios/topologies/t.yaml", atomically: true, encoding: .utf8)
        try """
        topology: {file: topologies/t.yaml}
        steps: [{start: {ready: false}}, {wait: {exit: p}}]
        expect: {exits: [{roles: p, allow: 0}], raises: [KeyError]}
        """.write(toFile: "\(root)/scenarios/s.yaml", atomically: true, encoding: .utf8)
        return root
    }

    /// The probe has seen what the target raised, so the interpreter, the target, its helper and the probe were all there.
    @Test(arguments: ["/tmp", "/var/tmp"], ["--no-warm", "--warm"])
    func everythingNeededIsVisible(base: String, way: String) throws {
        let root = try checkout(below: base)
        defer { try? FileManager.default.removeItem(atPath: root) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "\(root)/.build/it/fracas")
        process.arguments = [
            "run", "\(root)/scenarios/s.yaml", "--format", "json", "--python", "\(root)/.venv/bin/python", way,
            "--reports", "\(root)/reports",
        ]
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let summary = try JSONDecoder().decode(RunSummary.self, from: data)
        #expect(summary.verdict == .violated, "\(summary)")
        #expect(summary.findings.count == 1 && summary.findings[0].signature.contains("KeyError"), "\(summary)")
    }

    /// A scenario that stands in `/tmp` itself finds the files beside it that its commands name.
    @Test func scenarioMayStandInTheTemporaryDirectory() throws {
        let name = "/tmp/fracas-\(UUID().uuidString)"
        try "exit 7".write(toFile: "\(name).sh", atomically: true, encoding: .utf8)
        try """
        topology: {processes: [{role: p, command: [sh, "${here}/\(name.dropFirst(5)).sh"]}]}
        steps: [{start: {ready: false}}, {wait: {exit: p}}]
        expect: {exits: [{roles: p, allow: 7}]}
        """.write(toFile: "\(name).yaml", atomically: true, encoding: .utf8)
        let directory = try Command.temporaryDirectory()
        defer {
            for path in ["\(name).sh", "\(name).yaml", directory] { try? FileManager.default.removeItem(atPath: path) }
        }
        let command = try Command.run(["run", "\(name).yaml"], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
    }

    /// Beside what is visible, a trial's `/tmp` stays its own.
    @Test func whatIsNotNeededStaysHidden() throws {
        let hidden = "/tmp/fracas-hidden-\(UUID().uuidString)"
        try "x".write(toFile: hidden, atomically: true, encoding: .utf8)
        defer { unlink(hidden) }
        let (_, summary) = try Command.run(
            scenario: """
                topology: {processes: [{role: p, command: [sh, -c, "test ! -e \(hidden)"]}]}
                steps: [{start: {ready: false}}, {wait: {exit: p}}]
                expect: {exits: [{roles: p, allow: 0}]}
                """)
        #expect(summary.verdict == .held, "\(summary)")
    }
}
