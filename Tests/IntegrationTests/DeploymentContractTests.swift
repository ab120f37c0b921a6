import Foundation
import Testing

/// What was promised of the commands and has no other test: the options, what a backup and a report hold, what keeps a deployment from
/// beginning, and what shows a leak.
@Suite("What deployments promise", .serialized)
struct DeploymentContractTests {
    @Test func aManifestSaysWhatThereWas() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let commit = String(repeating: "ab", count: 20)
        try tree.write(".git/HEAD", "ref: refs/heads/main\n")
        try tree.write(".git/refs/heads/main", commit + "\n")
        try tree.write("pyproject.toml", "[project]\nversion = \"0.3.1\"\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o751], ofItemAtPath: "\(tree.root)/src/exo/api.py")
        #expect(try tree.run(DeployedTree.deploy).status == 0)
        let name = try #require(tree.names("backups").first)
        let data = Data(tree.text("deployment/backups/\(name)/manifest.json").utf8)
        let manifest = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        #expect(manifest["id"] as? String == name && manifest["kind"] as? String == "pre-deployment")
        #expect(manifest["softwareVersion"] as? String == "0.3.1" && manifest["gitCommit"] as? String == commit)
        #expect((manifest["date"] as? String)?.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
        let absent = try #require(manifest["absent"] as? [String])
        #expect(absent.contains("src/exo/worker/runner/shutdown_coordinator.py") && !absent.contains("src/exo/api.py"))
        let entries = try #require(manifest["entries"] as? [[String: Any]])
        let entry = try #require(entries.first { $0["path"] as? String == "src/exo/api.py" })
        let copy = "\(tree.deployment)/backups/\(name)/files/src/exo/api.py"
        let attributes = try FileManager.default.attributesOfItem(atPath: copy)
        #expect(entry["size"] as? Int == attributes[.size] as? Int && entry["mode"] as? Int == 0o751)
        let sum = Process()
        sum.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
        sum.arguments = [copy]
        #expect(try sum.runToEnd().text.hasPrefix(try #require(entry["sha256"] as? String)))
        let list = try tree.fracas("backups", "--format", "json")
        let items = try JSONSerialization.jsonObject(with: Data(list.output.utf8)) as? [String: Any]
        let item = try #require((items?["backups"] as? [[String: Any]])?.first)
        #expect(item["isGood"] as? Bool == true && item["version"] as? String == "0.3.1 \(commit.prefix(12))")
    }

    /// The release's directory can be named, the tests left out, and all is there for machines too.
    @Test func optionsAndAnswers() throws {
        let tree = try LightTree.make(["TEST_COMMAND": "/bin/false"])
        defer { tree.remove() }
        try tree.write("mine/src/only", "x")
        let before = try tree.hash()
        let deploy = try tree.json(DeployedTree.deploy, ["--release", "\(tree.root)/mine", "--skip-tests"])
        #expect(deploy.status == 0 && tree.text("src/only") == "x")
        #expect(deploy.object["result"] as? String == "succeeded" && deploy.object["release"] as? String == "new")
        let backup = try #require(deploy.object["backup"] as? String)
        for key in ["log", "report"] {
            let path = try #require(deploy.object[key] as? String)
            #expect(FileManager.default.fileExists(atPath: path), "\(key)")
        }
        let rollback = try tree.json(DeployedTree.rollback, ["latest", "--emergency"])
        #expect(rollback.status == 0 && rollback.object["release"] as? String == "restored")
        #expect(try tree.hash() == before)
        for operation in ["deploy", "rollback"] {
            let metrics = tree.text("deployment/logs/\(operation).prom")
            #expect(metrics.contains("fracas_deployment_good{operation=\"\(operation)\"} 1\n"))
            #expect(try tree.mode("logs/\(operation).prom") == 0o640)
        }
        #expect(try tree.run(DeployedTree.rollback, [backup, "--format", "json"]).status == 0)
        for (script, arguments) in [
            (DeployedTree.rollback, []), (DeployedTree.validate, ["--continuous", "--report-only"]),
            (DeployedTree.validate, ["--since", "soon"]), (DeployedTree.deploy, ["--no-such-option"]),
            (DeployedTree.deploy, ["--set", "API_PORT"]),
        ] { #expect(try tree.run(script, arguments).status == 2, "\(script) \(arguments)") }
        #expect(try tree.run(DeployedTree.deploy, ["--help"]).status == 0)
    }

    /// A service that does not stop when it is asked keeps a rollback from happening, but for an emergency's.
    @Test func anEmergencyAsksNobody() throws {
        let tree = try LightTree.make(["FORCE_STOP": "false"])
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        try tree.write("stubborn", "")
        #expect(try tree.run(DeployedTree.deploy).status == 0)
        let asked = try tree.run(DeployedTree.rollback, ["latest"])
        #expect(asked.status == 1 && asked.text.contains("or roll back with --emergency"), "\(asked.text)")
        #expect(try tree.hash() == releases.new)
        #expect(try tree.serves())
        let emergency = try tree.run(DeployedTree.rollback, ["latest", "--emergency"])
        #expect(emergency.status == 0, "\(emergency.text)")
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
    }

    /// Each of these ends a deployment before anything is changed.
    @Test func theEnvironmentIsLookedAtFirst() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let before = try tree.hash()
        func expect(_ says: String, _ arguments: [String] = []) throws {
            let deploy = try tree.run(DeployedTree.deploy, arguments)
            #expect(deploy.status == 2 && deploy.text.contains(says), "\(deploy.text)")
            #expect(try tree.hash() == before && tree.names("backups").isEmpty && !tree.exists("deployment/.journal"))
        }
        // Something else has the service's port.
        let port = try #require(
            tree.text("deployment/config/local.conf").firstMatch(of: #/API_PORT="(\d+)"/#).flatMap { Int($0.1) })
        let stranger = Process()
        stranger.executableURL = URL(fileURLWithPath: Command.python)
        stranger.arguments = ["-S", "-E", "-I", "\(tree.root)/service.py"]
        stranger.environment = ["EXO_API_PORT": "\(port)"]
        try tree.write("says", "up\n")
        let output = Pipe()
        stranger.standardOutput = output
        try stranger.run()
        _ = output.fileHandleForReading.availableData
        // It says so just before it listens.
        while tree.count("requests", "root") == 0 {
            let curl = Process()
            curl.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
            curl.arguments = ["-s", "http://127.0.0.1:\(port)/"]
            _ = try curl.runToEnd()
        }
        try expect("but something answers (200) at its port \(port), process \(stranger.processIdentifier) (")
        // A process started by this one may have the other signals blocked.
        kill(stranger.processIdentifier, SIGKILL)
        stranger.waitUntilExit()
        // Everyone may write to the tree.
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: tree.root)
        try expect(": chmod o-w '\(tree.root)'")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: tree.root)
        // What is to be deployed is not there, is empty, or would replace what is the machine's.
        try expect("release: '/nonexistent' is not a directory", ["--release", "/nonexistent"])
        try FileManager.default.createDirectory(atPath: "\(tree.root)/empty", withIntermediateDirectories: true)
        try expect("is empty: there is nothing to deploy", ["--release", "\(tree.root)/empty"])
        try tree.write("bad/deployment/x", "x")
        try expect("contains 'deployment', which is the machine's own", ["--release", "\(tree.root)/bad"])
        // And a link that leads out of the tree by way of one that does not.
        try FileManager.default.createDirectory(atPath: "\(tree.root)/far/src", withIntermediateDirectories: true)
        for (name, target) in [("up", ".."), ("out", "up/../../etc")] {
            try FileManager.default.createSymbolicLink(
                atPath: "\(tree.root)/far/src/\(name)", withDestinationPath: target)
        }
        try expect(
            "far/src/out' points at 'up/../../etc', which is not in the tree", ["--release", "\(tree.root)/far"])
        #expect(try tree.run(DeployedTree.deploy).status == 0, "and without all that it is deployed")
    }

    /// Steady growth is said at once, and is a failure when it has gone on for ten minutes.
    @Test func memoryThatGrows() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let service = tree.text("service.py")
        try tree.write(
            "service.py",
            service.replacingOccurrences(
                of: "    def do_GET(self):\n",
                with: "    kept = []\n\n    def do_GET(self):\n        self.kept.append(b\"x\" * 4000000)\n"))
        try tree.start()
        var outcome = "skipped"
        while outcome == "skipped" {
            let report = try tree.json(DeployedTree.validate).object
            outcome = try DeployedTree.check("memory growth", of: report)["outcome"] as? String ?? ""
        }
        #expect(outcome == "warning")
        // The same history, an hour longer.
        let path = "deployment/logs/memory_history.json"
        let history = try JSONSerialization.jsonObject(with: Data(tree.text(path).utf8)) as? [[String: Any]]
        let longer = try #require(history).enumerated().map { index, sample in
            var sample = sample
            if index == 0, let time = sample["time"] as? Int { sample["time"] = time - 700 }
            return sample
        }
        try tree.write(path, String(decoding: try JSONSerialization.data(withJSONObject: longer), as: UTF8.self))
        let report = try tree.json(DeployedTree.validate, [], ["MEMORY_LEAK_THRESHOLD": "1"])
        #expect(report.status == 1)
        #expect(try DeployedTree.check("memory growth", of: report.object)["outcome"] as? String == "failed")
    }

    /// Each test that the list of them names is there.
    @Test func theListOfTestsIsTrue() throws {
        let list = try String(contentsOfFile: "\(Command.root)/docs/deployment-tests.md", encoding: .utf8)
        let tests = "\(Command.root)/Tests"
        let names = try FileManager.default.subpathsOfDirectory(atPath: tests).filter { $0.hasSuffix(".swift") }
        let sources = try names.map { try String(contentsOfFile: "\(tests)/\($0)", encoding: .utf8) }
        let named = list.matches(of: #/`(\w+Tests)\.(\w+)`/#)
        #expect(named.count > 40)
        for match in named {
            #expect(
                sources.contains { $0.contains("struct \(match.1) ") && $0.contains("func \(match.2)(") },
                "\(match.1).\(match.2)")
        }
    }
}
