import Foundation
import Testing

/// What those who keep many hosts rely on: one object on standard output whatever happens, its exit code the process's own, and that
/// what is there already is not done again.
@Suite("Answers to machines", .serialized)
struct DeploymentAnswerTests {
    /// Runs a command with `--format json`.
    /// - Returns: what it answered, which is all that is on standard output and has every key that is promised.
    static func answer(_ arguments: [String], in directory: String, status: Int32, _ outcome: String) throws
        -> [String: Any]
    {
        let command = try Command.run(arguments + ["--format", "json"], in: directory)
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(command.output.utf8)) as? [String: Any], "\(command.output)")
        for key in ["changed", "outcome", "exit", "message", "from", "to", "backup", "log", "seconds", "command"] {
            #expect(object[key] != nil, "\(arguments): \(key)")
        }
        #expect(command.status == status && object["exit"] as? Int == Int(status), "\(arguments): \(command.errors)")
        #expect(object["outcome"] as? String == outcome, "\(arguments): \(object["outcome"] ?? "")")
        #expect((object["message"] as? String)?.isEmpty == false, "\(arguments)")
        return object
    }

    private func answer(_ tree: DeployedTree, _ arguments: String..., status: Int32 = 0, gives outcome: String) throws
        -> [String: Any]
    {
        try Self.answer(arguments + ["--tree", tree.root], in: tree.directory, status: status, outcome)
    }

    private func changed(_ answer: [String: Any]) -> Bool? { answer["changed"] as? Bool }

    private func name(_ answer: [String: Any], _ key: String) -> String? {
        (answer[key] as? [String: Any])?["release"] as? String
    }

    private func hash(_ answer: [String: Any], _ key: String) -> String? {
        (answer[key] as? [String: Any])?["hash"] as? String
    }

    /// Each command twice: the second one finds what the first one did, and leaves it alone.
    @Test func whatIsThereIsNotDoneAgain() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        #expect(changed(try answer(tree, "service", "start", gives: "running")) == true)
        let first = try tree.process()
        #expect(changed(try answer(tree, "service", "start", gives: "running")) == false)
        #expect(try tree.process() == first)
        #expect(changed(try answer(tree, "service", "status", gives: "running")) == false)

        #expect(changed(try answer(tree, "deploy", "--dry-run", gives: "planned")) == true)
        let deploy = try answer(tree, "deploy", gives: "deployed")
        let (process, backups) = (try tree.process(), tree.names("backups"))
        #expect(changed(deploy) == true && process != first && backups == [deploy["backup"] as? String])
        #expect(name(deploy, "from") == nil && name(deploy, "to") == "\(tree.root)/releases/fixed")
        #expect(hash(deploy, "from") == deploy["hashBefore"] as? String && hash(deploy, "from") != hash(deploy, "to"))

        let again = try answer(tree, "deploy", gives: "unchanged")
        #expect(changed(again) == false && tree.names("backups") == backups)
        #expect(try tree.process() == process && tree.hash() == releases.new)
        #expect(name(again, "from") == name(again, "to") && hash(again, "to") == hash(deploy, "to"))
        #expect(hash(again, "from") == hash(again, "to"))
        #expect(changed(try answer(tree, "deploy", "--dry-run", gives: "planned")) == false)
        #expect(try tree.run(DeployedTree.deploy).text.contains("--force deploys it all the same"))
        #expect(try tree.process() == process)

        let rollback = try answer(tree, "rollback", backups[0], gives: "restored")
        let restored = try tree.process()
        #expect(changed(rollback) == true && name(rollback, "to") == "backup \(backups[0])")
        for backup in [backups[0], "latest"] {
            let again = try answer(tree, "rollback", backup, gives: "unchanged")
            #expect(changed(again) == false && hash(again, "to") == hash(rollback, "to"))
        }
        #expect(try tree.process() == restored && tree.hash() == releases.old)
        let back = try answer(tree, "rollback", backups[0], "--force", gives: "restored")
        #expect(try changed(back) == true && tree.process() != restored)
        _ = try answer(tree, "deploy", gives: "deployed")
        let (running, count) = (try tree.process(), tree.names("backups").count)
        let forced = try answer(tree, "deploy", "--force", gives: "deployed")
        #expect(try changed(forced) == true && tree.process() != running && tree.names("backups").count == count + 1)

        #expect(changed(try answer(tree, "validate", gives: "healthy")) == false)
        #expect(changed(try answer(tree, "backups", gives: "whole")) == false)
        #expect(changed(try answer(tree, "service", "stop", gives: "stopped")) == true)
        #expect(changed(try answer(tree, "service", "stop", gives: "stopped")) == false)
        #expect(changed(try answer(tree, "deploy", "--backup-only", gives: "saved")) == true)
    }

    /// What only looks the same is deployed: a service that does not run, or not well, and a tree that was brought there by hand.
    @Test func whatIsNotWhollyThereIsDeployed() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        _ = try answer(tree, "deploy", gives: "deployed")
        _ = try answer(tree, "service", "stop", gives: "stopped")
        #expect(changed(try answer(tree, "deploy", gives: "deployed")) == true)
        #expect(try tree.serves())
        // A file of the release, changed by hand, and put back by hand under the service that runs.
        let name = "src/exo/worker/runner/bootstrap.py"
        let good = tree.text(name)
        try tree.write(name, good + "# by hand\n")
        #expect(changed(try answer(tree, "deploy", gives: "deployed")) == true)
        #expect(tree.text(name) == good)
        let saved = try #require(tree.names("backups").last)
        let process = try tree.process()
        // The content of the backup, which was never gone back to.
        try tree.write(name, good + "# by hand\n")
        #expect(changed(try answer(tree, "rollback", saved, gives: "restored")) == true)
        #expect(try tree.process() != process && tree.text(name).hasSuffix("# by hand\n"))
        // And that of the release, which is deployed no more.
        try tree.write(name, good)
        #expect(changed(try answer(tree, "deploy", gives: "deployed")) == true)
        // It runs, and is not well.
        try tree.write("answer-health", "500 0")
        // The old release is not well either, which the next command is told.
        _ = try answer(tree, "deploy", "--set", "HEALTH_CHECK_RETRIES=2", status: 3, gives: "unsettled")
    }

    @Test func theKitIsInstalledOnce() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        func install(_ outcome: String) throws -> [String: Any] {
            try Self.answer(["kit", "install", directory], in: "/var/tmp", status: 0, outcome)
        }
        #expect(changed(try install("installed")) == true)
        let before = try TreeHash.of(directory)
        let again = try install("unchanged")
        #expect(changed(again) == false && (again["installed"] as? [String])?.isEmpty == true)
        #expect(try TreeHash.of(directory) == before)
        let script = "\(directory)/deployment/\(DeployedTree.deploy)"
        chmod(script, 0o600)
        #expect(try install("installed")["installed"] as? [String] == [script])
        #expect(try TreeHash.of(directory) == before)
    }

    /// Whatever goes wrong has its exit code, in the object too.
    @Test func failuresAnswerToo() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        // Not begun.
        for arguments in [
            ["deploy", "--no-such-option"], ["deploy", "--release", "/nonexistent"], ["deploy", "--set", "API_PROT=1"],
            ["rollback"], ["rollback", "20000101_000000"], ["validate", "--since", "soon"], ["service", "dance"],
        ] {
            let answer = try Self.answer(
                arguments + ["--tree", tree.root], in: tree.directory, status: 2, "refused")
            #expect(changed(answer) == false)
        }
        for command in ["deploy", "validate", "backups", "doctor --deployment", "service status"] {
            let arguments = command.split(separator: " ").map(String.init) + ["--tree", "\(tree.root)-missing"]
            _ = try Self.answer(arguments, in: tree.directory, status: 2, "refused")
        }
        _ = try Self.answer(["kit", "install", "\(tree.root)-missing"], in: tree.directory, status: 2, "refused")
        _ = try Self.answer(["release", "sign", tree.root, "--key", "/x"], in: tree.directory, status: 2, "refused")
        // Not healthy, not there.
        _ = try answer(tree, "validate", status: 1, gives: "unhealthy")
        _ = try answer(tree, "service", "status", status: 1, gives: "stopped")
        _ = try answer(tree, "doctor", "--deployment", status: 1, gives: "unfit")
        // Failed and undone: the tree is what it was.
        let undone = try answer(tree, "deploy", "--set", "TEST_COMMAND=/bin/false", status: 1, gives: "undone")
        #expect(changed(undone) == false && hash(undone, "from") == hash(undone, "to"))
        try tree.start()
        // Began, and did not come up: it runs all the same.
        _ = try answer(tree, "service", "stop", gives: "stopped")
        try tree.write("answer-health", "500 0")
        let failed = try answer(
            tree, "service", "start", "--set", "HEALTH_CHECK_RETRIES=2", status: 2, gives: "failed")
        #expect(changed(failed) == true)
        try FileManager.default.removeItem(atPath: "\(tree.root)/answer-health")
        // Left for the next command, and settled by it.
        let settings = ["--set", "TEST_COMMAND=/bin/false", "--set", "AUTO_ROLLBACK_ON_FAILURE=false"]
        let left = try Self.answer(
            ["deploy"] + settings + ["--tree", tree.root], in: tree.directory, status: 3, "unsettled")
        #expect(changed(left) == true)
        _ = try answer(tree, "deploy", "--set", "SERVICE_MANAGER=systemd", status: 3, gives: "unsettled")
        #expect(changed(try answer(tree, "backups", gives: "whole")) == true)
        #expect(changed(try answer(tree, "backups", gives: "whole")) == false)
        // One that is damaged.
        let backup = try #require(tree.names("backups").last)
        try tree.write("deployment/backups/\(backup)/files/src/exo/api.py", "x")
        let damaged = try answer(tree, "backups", status: 1, gives: "damaged")
        #expect((damaged["message"] as? String)?.contains(backup) == true)
    }

    /// People read text: no object, and the steps where they were.
    @Test func textStaysText() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let deploy = try tree.fracas("deploy")
        #expect(deploy.status == 0 && deploy.output.contains("deploy: succeeded, release in the tree: new\n"))
        #expect(deploy.output.contains("stop the service …\n") && !deploy.output.contains("\"changed\""))
        let refused = try tree.fracas("deploy", "--no-such-option")
        #expect(refused.status == 2 && refused.output.isEmpty && refused.errors.contains("--no-such-option"))
    }
}
