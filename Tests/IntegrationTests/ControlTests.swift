import Certification
import Checkers
import Foundation
import Reports
import Testing

@Suite("Controls")
struct ControlTests {
    /// A target with one release, whose worker's word its parent must get, and a control that has it say another.
    private func tree() throws -> String {
        let directory = try Command.temporaryDirectory()
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
        for (name, text) in files {
            let url = URL(fileURLWithPath: "\(directory)/\(name)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: url, atomically: true, encoding: .utf8)
        }
        return directory
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
