import Foundation
import Testing

/// What operators type besides a deployment: backups before there is a fix, machine-readable answers, times of messages, schedules,
/// another tree.
@Suite("Deployments and their operators", .serialized)
struct DeploymentOperatorTests {
    /// A backup is taken before there is a fix: of the whole tree, and it can be gone back to.
    @Test(arguments: ["${PROJECT_ROOT}/releases/fixed", ""])
    func aBackupNeedsNoRelease(release: String) throws {
        let tree = try LightTree.make(["RELEASE_DIR": release])
        defer { tree.remove() }
        try FileManager.default.removeItem(atPath: "\(tree.root)/releases")
        try tree.write("conf/a", "b")
        try FileManager.default.createSymbolicLink(atPath: "\(tree.root)/link", withDestinationPath: "conf")
        try tree.start()
        let before = try TreeHash.of(tree.root)
        let dry = try tree.run(DeployedTree.deploy, ["--dry-run", "--backup-only"])
        #expect(dry.status == 0 && dry.text.contains("would back up conf, requests, service.py, src ("), "\(dry.text)")
        #expect(try TreeHash.of(tree.root) == before)
        let backup = try tree.run(DeployedTree.deploy, ["--backup-only"])
        #expect(backup.status == 0, "\(backup.text)")
        let name = try #require(tree.names("backups").first)
        let old = try tree.hash()
        try tree.write("src/exo/api.py", "broken")
        try tree.write("src/exo/more", "added")
        try FileManager.default.removeItem(atPath: "\(tree.root)/conf")
        let rollback = try tree.run(DeployedTree.rollback, [name])
        #expect(rollback.status == 0, "\(rollback.text)")
        #expect(try tree.hash() == old && tree.text("conf/a") == "b")
        #expect(try tree.serves())
        // One that is named must be there, and a deployment has nothing to deploy.
        let missing = try tree.run(DeployedTree.deploy, ["--backup-only", "--release", "/nonexistent"])
        #expect(missing.status == 2 && missing.text.contains("read the release '/nonexistent'"), "\(missing.text)")
        let deploy = try tree.run(DeployedTree.deploy)
        #expect(deploy.status == 2 && deploy.text.contains("is not a directory: give what is"), "\(deploy.text)")
    }

    @Test func theServiceAnswersInJSON() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        func service(_ arguments: String...) throws -> (Int32, [String: Any]) {
            let command = try Command.run(
                ["service"] + arguments + ["--tree", tree.root, "--format", "json"], in: tree.directory)
            let object = try JSONSerialization.jsonObject(with: Data(command.output.utf8)) as? [String: Any]
            return (command.status, try #require(object, "\(command.output)"))
        }
        for (arguments, status, isRunning) in [
            (["status"], Int32(1), false), (["start"], 0, true), (["status"], 0, true), (["stop"], 0, false),
        ] {
            let (ended, object) = try service(arguments[0])
            #expect(ended == status, "\(arguments)")
            #expect(object["service"] as? String == "exo" && object["manager"] as? String == "the built-in supervisor")
            #expect(object["isRunning"] as? Bool == isRunning && (object["process"] as? Int != nil) == isRunning)
            #expect((object["processes"] as? [Int])?.isEmpty == !isRunning && object["unfinished"] == nil)
        }
        // Stubborn, and killed because that is asked for.
        try tree.write("stubborn", "")
        #expect(try service("start").0 == 0)
        #expect(try service("stop", "--force").1["isRunning"] as? Bool == false)
    }

    @Test func continuousValidationInJSON() throws {
        let tree = try LightTree.make(["VALIDATION_INTERVAL": "0.05"])
        defer { tree.remove() }
        try tree.start()
        let (process, output) = try tree.begin(
            DeployedTree.validate, ["--continuous", "--format", "json"], errors: false)
        var text = try output.text { $0.split(separator: "\n").count >= 4 }
        process.terminate()
        text += String(decoding: output.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
        #expect(text.hasSuffix("\n"))
        for line in text.split(separator: "\n") {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(object["result"] as? String == "healthy" && object["operation"] as? String == "validate")
        }
    }

    /// One unhealthy round counts for the whole.
    @Test func continuousValidationRemembersTheWorst() throws {
        let tree = try LightTree.make(["VALIDATION_INTERVAL": "0.05"])
        defer { tree.remove() }
        try tree.start()
        try tree.write("answer-state", "500 0")
        let (process, output) = try tree.begin(DeployedTree.validate, ["--continuous"])
        var text = ""
        for wanted in [": unhealthy\n", ": healthy\n"] {
            while !text.contains(wanted) {
                let data = output.availableData
                try #require(!data.isEmpty, "it ended by itself: \(text)")
                text += String(decoding: data, as: UTF8.self)
            }
            try? FileManager.default.removeItem(atPath: "\(tree.root)/answer-state")
        }
        process.interrupt()
        _ = output.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 1)
    }

    // MARK: messages since a time

    private func stamp(_ secondsAgo: Double, _ format: String, zone: TimeZone? = TimeZone(secondsFromGMT: 0)) -> String
    {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = zone
        formatter.dateFormat = format
        return formatter.string(from: Date(timeIntervalSinceNow: -secondsAgo))
    }

    private func raceErrors(_ tree: DeployedTree, since: String, pattern: String = "boom") throws -> Double {
        let report = try tree.json(
            DeployedTree.validate, ["--since", since], ["RACE_ERROR_PATTERNS": pattern, "ERROR_THRESHOLD": "0"]
        ).object
        return try #require(try DeployedTree.check("race errors", of: report)["value"] as? Double)
    }

    /// A file that is written to now has lines of long ago: each counts by its own time.
    @Test func messagesCountByTheirOwnTime() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let (iso, old, recent) = ("yyyy-MM-dd'T'HH:mm:ss", 7200.0, 600.0)
        let local = TimeZone.current
        let lines = [
            "boom before any time",
            "\(stamp(old, iso))Z boom",
            "  boom in its traceback",
            "ERROR:exo:\(stamp(old, "yyyy-MM-dd HH:mm:ss", zone: local)),123 boom",
            "[\(stamp(old, "yyyy-MM-dd HH:mm:ss", zone: local))] boom",
            "{\"time\":\"\(stamp(old, iso, zone: TimeZone(secondsFromGMT: 7200))).5+02:00\",\"text\":\"boom\"}",
            // A time before the service started is not when this was said.
            "1999-01-01 00:00:00 boom is not its time",
            "\(stamp(recent, iso))Z boom",
            "\(stamp(recent, iso, zone: TimeZone(secondsFromGMT: -19800)))-0530 boom",
            "  boom in its traceback",
            "\(stamp(recent, "yyyy-MM-dd HH:mm:ss", zone: local)) boom",
            "\(stamp(recent, iso))Z all quiet",
        ]
        let begin = stamp(90_000, "yyyyMMdd_HHmmss")
        try tree.write("deployment/logs/service_\(begin).log", lines.joined(separator: "\n") + "\n")
        // What Fracas itself says is no message of the service.
        try tree.write("deployment/logs/service_control_\(begin).log", "boom\n")
        #expect(try raceErrors(tree, since: "1h") == 5)
        #expect(try raceErrors(tree, since: "3h") == 11)
        #expect(try raceErrors(tree, since: "60") == 1)
        // Nobody wrote to it since.
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -3000)],
            ofItemAtPath: "\(tree.deployment)/logs/service_\(begin).log")
        #expect(try raceErrors(tree, since: "30m") == 0)
    }

    /// At most 16 MiB are read, of all files together, the newest first.
    @Test func theBoundOnMessagesIsTotal() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let filler = String(
            repeating: "\(stamp(90_000, "yyyy-MM-dd HH:mm:ss")) \(String(repeating: ".", count: 65_000))\n", count: 190)
        let recent = "\(stamp(60, "yyyy-MM-dd'T'HH:mm:ss"))Z boom\n"
        for age in [100_000.0, 99_000] {
            try tree.write(
                "deployment/logs/service_\(stamp(age, "yyyyMMdd_HHmmss")).log", recent + filler + recent)
        }
        // Both of the newer one, and what the older one ends with.
        #expect(try raceErrors(tree, since: "1h") == 3)
    }

    /// Lines on which a matcher that tries one way after another computes for minutes, in the kit's own pattern; what does match is
    /// found behind them.
    @Test func longLinesAreMatchedInTime() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let long = String(repeating: "Runner exit code ", count: 60_000)
        try tree.write("says", "\(long)\n\(long)1\n\(long)Queue is closed\n")
        try tree.start()
        #expect(
            try raceErrors(tree, since: "1h", pattern: "Queue is closed|ClosedResourceError|Runner.*exit.*code.*1") == 2
        )
    }

    // MARK: schedules

    /// The command in the unit, and the one for cron, with the tree's own place in them.
    @Test func theScheduledValidations() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let unit = tree.text("deployment/systemd/exo-validate.service")
        let timer = tree.text("deployment/systemd/exo-validate.timer")
        let start = try #require(unit.firstMatch(of: #/(?m)^ExecStart=(.+)$/#)?.1)
        let cron = try #require(timer.firstMatch(of: #/(?m)^# +0 \*/6 \* \* \* (.+)$/#)?.1)
        #expect(timer.contains("\nOnCalendar=*:0/15\n") && timer.contains("\nWantedBy=timers.target"))
        for (isRunning, status) in [(false, Int32(1)), (true, 0)] {
            if isRunning { try tree.start() }
            for line in [start, cron] {
                let process = Process()
                process.executableURL = URL(fileURLWithPath: "/bin/sh")
                process.arguments = ["-c", String(line).replacingOccurrences(of: "/opt/exo", with: tree.root)]
                // As cron and systemd have it: nothing but the way to the program.
                process.environment = ["FRACAS": Command.program, "PATH": "/usr/bin:/bin"]
                let (ended, text) = try process.runToEnd()
                #expect(ended == status, "\(line): \(text)")
            }
        }
        #expect(tree.text("deployment/logs/validate.prom").contains("fracas_deployment_good{operation=\"validate\"} 1"))
    }

    /// The hardened unit is of the same settings as the kit's.
    @Test func theServiceUnitIsHardened() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let unit = tree.text("deployment/systemd/exo.service")
        for line in [
            "User=exo", "NoNewPrivileges=true", "ProtectSystem=strict", "ProtectHome=true", "PrivateTmp=true",
            "CapabilityBoundingSet=", "TimeoutStopSec=30", "ExecStart=/opt/exo/.venv/bin/python -m exo",
        ] { #expect(unit.contains("\n\(line)\n"), "\(line)") }
        let settings = tree.text("deployment/config/deployment.conf")
        for key in ["SHUTDOWN_TIMEOUT", "RESOURCE_CLEANUP_TIMEOUT", "CHANNEL_DRAIN_TIMEOUT", "API_PORT"] {
            let value = try #require(try Regex("(?m)^\(key)=(\\d+)$").firstMatch(in: settings)?.output[1].substring)
            #expect(unit.contains("EXO_\(key)=\(value)"), "\(key)")
        }
    }

    // MARK: another tree

    /// A tree that is not the fixture, with a blank in its name.
    @Test func theKitServesAnyTree() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let root = "\(tree.directory)/another tree"
        for (name, text) in [("lib/a", "old"), ("releases/fixed/lib/a", "new"), ("releases/fixed/lib/b", "added")] {
            let url = URL(fileURLWithPath: "\(root)/\(name)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: url, atomically: true, encoding: .utf8)
        }
        try FileManager.default.copyItem(atPath: "\(tree.root)/service.py", toPath: "\(root)/service.py")
        #expect(try Command.run(["kit", "install", root], in: tree.directory).status == 0)
        try FileManager.default.copyItem(
            atPath: "\(tree.deployment)/config/local.conf", toPath: "\(root)/deployment/config/local.conf")
        for (script, arguments, content) in [
            (DeployedTree.deploy, [], "new"), (DeployedTree.rollback, ["latest"], "old"),
            (DeployedTree.validate, [], "old"),
        ] {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "\(root)/deployment/\(script)")
            process.arguments = arguments
            process.environment = ProcessInfo.processInfo.environment.merging(["FRACAS": Command.program]) { $1 }
            let (status, text) = try process.runToEnd()
            #expect(status == 0, "\(script): \(text)")
            #expect(try String(contentsOfFile: "\(root)/lib/a", encoding: .utf8) == content)
            #expect(FileManager.default.fileExists(atPath: "\(root)/lib/b") == (content == "new"))
        }
        #expect(try Command.run(["service", "stop", "--tree", root], in: tree.directory).status == 0)
    }
}
