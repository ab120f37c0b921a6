import Certification
import Checkers
import Foundation
import Reports
import Testing

@Suite("Controls", .serialized)
struct ControlTests {
    /// A target with one release, whose worker's word its parent must get, and a control that has it say another.
    private func tree() throws -> String {
        let files = [
            "t/src/worker.sh": "echo one\necho two\necho three\n",
            "t/releases/good/src/extra.sh": "echo extra\n",
            "suite/s.yaml": """
            topology:
              processes: [{role: w, command: [sh, "${target}/src/worker.sh"], ready: exit}]
            steps: [{start: {}}]
            expect: {forbid: {wrong: "^wrong$"}}
            """,
            "races/says-wrong/race.patch":
                "--- a/src/worker.sh\n+++ b/src/worker.sh\n@@ -1,3 +1,3 @@\n echo one\n-echo two\n+echo wrong\n echo three\n",
            "races/adds-a-file/race.patch": "--- /dev/null\n+++ b/src/more.sh\n@@ -0,0 +1 @@\n+echo more\n",
        ]
        return try Command.temporaryDirectory(files)
    }

    private let target = ["--target", "t", "--release", "good", "--reports", "r"]

    @Test func aControlIsLaidOverItsRelease() throws {
        let directory = try tree()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let plain = try Command.run(["run", "suite"] + target, in: directory)
        #expect(plain.status == 0, "\(plain.output)\(plain.errors)")
        let raced = try Command.run(
            ["run", "suite", "--control", "races/says-wrong", "--format", "json"] + target, in: directory)
        #expect(raced.status == 1, "\(raced.output)\(raced.errors)")
        let summary = try JSONDecoder().decode(RunSummary.self, from: Data(raced.output.utf8))
        #expect(summary.target?.control == "says-wrong")
        #expect(summary.findings.map(\.signature) == ["wrong"])
        let untouched = try String(contentsOfFile: "\(directory)/t/src/worker.sh", encoding: .utf8)
        #expect(!untouched.contains("wrong"))
    }

    @Test func aCertificateSaysWhichControlsWereCaught() throws {
        let directory = try tree()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try Command.run(
            ["certify", "--suite", "suite", "--trials", "2", "--controls", "races"] + target, in: directory)
        // One of the two is no race at all, so it cannot be caught, and the certificate does not count.
        #expect(command.status == 3, "\(command.output)\(command.errors)")
        #expect(command.output.contains("controls caught: 1 of 2"), "\(command.output)")
        #expect(command.output.contains("adds-a-file: NOT CAUGHT"), "\(command.output)")
        try FileManager.default.removeItem(atPath: "\(directory)/races/adds-a-file")
        let good = try Command.run(
            ["certify", "--suite", "suite", "--trials", "2", "--controls", "races", "--format", "json"] + target,
            in: directory)
        #expect(good.status == 0, "\(good.output)\(good.errors)")
        let certificate = try JSONDecoder().decode(Certificate.self, from: Data(good.output.utf8))
        #expect(certificate.counts == true && certificate.verdict == .held)
        #expect(certificate.controls.map(\.finding) == ["wrong"] && certificate.controls[0].bySuite)
    }

    static let known = (try? Control.all(in: "\(Command.root)/fixtures/races")) ?? []

    @Test func everyControlHasItsPage() throws {
        #expect(Self.known.count >= 24)
        for control in Self.known {
            let page = try String(contentsOfFile: "\(control.path)/README.md", encoding: .utf8)
            #expect(page.hasPrefix("# \(control.name)"), "\(control.name)")
            for part in ["The race", "Cause", "Symptom", "Window", "History", "https://"] {
                #expect(page.contains(part), "\(control.name): \(part)")
            }
        }
    }

    /// A race that the target's own tests catch needs no Fracas. Being races, they may show up by luck: once in three is luck.
    @Test(arguments: known)
    func theTargetsOwnTestsDoNotFindIt(control: Control) throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let tree = try TargetTree(
            path: "\(Command.root)/fixtures/exo", release: "fixed", control: control, store: "\(directory)/controls")
        for overlay in tree.overlays {
            for layer in overlay.lower.split(separator: ":").reversed() {
                try shell("cp -rT '\(layer)' '\(directory)/\(URL(fileURLWithPath: overlay.at).lastPathComponent)'")
            }
        }
        let tests =
            "cd '\(directory)' && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=src '\(Command.python)' -m pytest -q -p no:cacheprovider src"
        var passed = 0
        for _ in 1...3 where passed < 2 { passed += try shell(tests) == 0 ? 1 : 0 }
        #expect(passed >= 2, "\(control.name)")
    }

    @discardableResult
    private func shell(_ command: String) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "timeout 60 sh -c \"$0\" >/dev/null 2>&1", command]
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    @Test(arguments: [
        (
            "--- a/src/worker.sh\n+++ b/src/worker.sh\n@@ -1,3 +1,3 @@\n echo one\n-echo 2\n+echo wrong\n echo three\n",
            "race.patch:3: line 2 of 'src/worker.sh' is 'echo two', not 'echo 2'"
        ),
        ("--- a/src/worker.sh\n+++ b/../worker.sh\n@@ -1 +1 @@\n-x\n+y\n", "race.patch:2: 'b/../worker.sh' is not b/"),
        ("--- a/src/none.sh\n+++ b/src/none.sh\n@@ -1 +1 @@\n-x\n+y\n", "'src/none.sh' is not in the release"),
        ("nothing\n", "race.patch: it changes no file"),
        ("--- a/src/worker.sh\n+++ b/src/worker.sh\n@@ -1 +1 @@\n?x\n", "race.patch:4: a line of a hunk begins with"),
    ])
    func aDiffThatDoesNotFitIsRefused(patch: String, message: String) throws {
        let directory = try tree()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try patch.write(toFile: "\(directory)/races/says-wrong/race.patch", atomically: true, encoding: .utf8)
        let command = try Command.run(["run", "suite", "--control", "races/says-wrong"] + target, in: directory)
        #expect(command.status == 2 && command.errors.contains(message), "\(command.errors)")
    }
}
