import Foundation
import Testing

/// Which state a rollback comes back to.
@Suite("Deployments and the way back", .serialized)
struct DeploymentRollbackTests {
    /// The first deployment changes `src` alone, the second brings a name of its own: back before the first one, that is gone too.
    @Test func whatOnlyLaterDeploymentsChangedGoesBackToo() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"]).status == 0)
        let first = try #require(tree.names("backups").last)
        let extra = "\(tree.root)/releases/fixed/extra"
        try FileManager.default.createDirectory(atPath: extra, withIntermediateDirectories: true)
        try "new".write(toFile: "\(extra)/file", atomically: true, encoding: .utf8)
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"]).status == 0)
        #expect(FileManager.default.fileExists(atPath: "\(tree.root)/extra/file"))
        let rollback = try tree.run(DeployedTree.rollback, [first])
        #expect(rollback.status == 0, "\(rollback.text)")
        #expect(try tree.hash() == releases.old)
        #expect(!FileManager.default.fileExists(atPath: "\(tree.root)/extra"))
        #expect(try tree.serves())
    }

    /// `latest` is the newest that differs; where none does, that is said.
    @Test func latestIsTheNewestThatDiffers() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        #expect(try tree.run(DeployedTree.deploy, ["--backup-only"]).status == 0)
        let nothing = try tree.run(DeployedTree.rollback, ["latest"])
        #expect(nothing.status == 0 && nothing.text.contains("nothing to roll back to: "), "\(nothing.text)")
        #expect(tree.names("backups").count == 1)
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"]).status == 0)
        // Of the new release: going back to it would change nothing.
        #expect(try tree.run(DeployedTree.deploy, ["--backup-only"]).status == 0)
        let equal = try #require(tree.names("backups").last)
        let named = try tree.run(DeployedTree.rollback, [equal])
        #expect(named.status == 0 && named.text.contains("the tree is already what the backup"), "\(named.text)")
        #expect(try tree.hash() == releases.new)
        let rollback = try tree.run(DeployedTree.rollback, ["latest"])
        #expect(rollback.status == 0, "\(rollback.text)")
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
    }

    /// Who takes the newest directory each time does not get back in silence what was just rolled back.
    @Test func whatARollbackPutAsideNeedsAWord() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        #expect(try tree.run(DeployedTree.deploy).status == 0)
        func newest() throws -> String {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", "ls -1t '\(tree.deployment)/backups/' | head -1"]
            return try process.runToEnd().text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        for _ in 0..<3 {
            let rollback = try tree.run(DeployedTree.rollback, ["deployment/backups/\(try newest())"])
            #expect(rollback.status == 0, "\(rollback.text)")
            #expect(try tree.hash() == releases.old)
        }
        let aside = try #require(tree.names("safety").first)
        #expect(tree.names("backups").count == 1)
        for name in [aside, "deployment/safety/\(aside)"] {
            let refused = try tree.run(DeployedTree.rollback, [name])
            #expect(refused.status == 2 && refused.text.contains("add --safety"), "\(refused.text)")
            #expect(try tree.hash() == releases.old)
        }
        // An earlier Fracas put them among the others.
        let among = "\(tree.deployment)/backups/\(aside)"
        try FileManager.default.moveItem(atPath: "\(tree.deployment)/safety/\(aside)", toPath: among)
        let refused = try tree.run(DeployedTree.rollback, ["deployment/backups/\(aside)"])
        #expect(refused.status == 2 && refused.text.contains("add --safety"), "\(refused.text)")
        let undone = try tree.run(DeployedTree.rollback, [aside, "--safety"])
        #expect(undone.status == 0, "\(undone.text)")
        #expect(try tree.hash() == releases.new)
        #expect(try tree.run(DeployedTree.rollback, ["latest"]).status == 0)
        #expect(try tree.hash() == releases.old)
        #expect(try tree.run(DeployedTree.rollback, ["latest", "--safety"]).status == 0)
        #expect(try tree.hash() == releases.new)
        #expect(try tree.fracas("backups").status == 0)
        #expect(try tree.fracas("doctor", "--deployment").status == 0)
    }

    /// What is undone by itself, or by the next command, is in a log of its own, and in that of the command.
    @Test func automaticRollbacksHaveALog() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let failing = ["TEST_COMMAND": "/bin/false"]
        let deploy = try tree.run(DeployedTree.deploy, [], failing)
        #expect(deploy.status == 1, "\(deploy.text)")
        for begin in ["rollback_", "deploy_"] {
            let log = try tree.newestLog(begin, ".log")
            for text in [
                "automatic rollback of the deploy of ", "TEST_COMMAND '/bin/false': exit 1", "put back src", "undone: ",
            ] {
                #expect(log.contains(text), "\(begin) \(text): \(log)")
            }
        }
        #expect(tree.names("logs").count { $0.hasPrefix("rollback_") && $0.hasSuffix(".log") } == 1)
        // One that succeeds has none.
        #expect(try tree.run(DeployedTree.deploy).status == 0)
        #expect(tree.names("logs").count { $0.hasPrefix("rollback_") } == 1)
        let left = try tree.run(DeployedTree.deploy, ["--force"], failing.merging(["AUTO_ROLLBACK_ON_FAILURE": "false"]) { $1 })
        #expect(left.status == 3, "\(left.text)")
        for name in tree.names("logs") where name.hasPrefix("rollback_") {
            try FileManager.default.removeItem(atPath: "\(tree.deployment)/logs/\(name)")
        }
        #expect(try tree.fracas("backups").status == 0)
        let log = try tree.newestLog("rollback_", ".log")
        #expect(
            log.contains("an unfinished deploy of ") && log.contains("is undone: the tree is wholly the old"), "\(log)")
    }

    /// What a new release needs does not keep anyone from the old one.
    @Test func theWayBackNeedsNothingButTheExchange() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"]).status == 0)
        let settings = ["REQUIRED_MEMORY_GB": "100000", "REQUIRED_DISK_GB": "10000000", "REQUIRE_VENV": "true"]
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"], settings).status == 2)
        let rollback = try tree.run(DeployedTree.rollback, ["latest"], settings)
        #expect(rollback.status == 0, "\(rollback.text)")
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
    }

    /// A journal says who has the service: another manager would start a second one.
    @Test func anotherManagerSettlesNothing() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        try tree.start()
        let status = try tree.whileHeld(DeployedTree.deploy, ["--skip-tests"]) { process in
            kill(process.processIdentifier, SIGKILL)
        }
        #expect(status == -1)
        let other = try tree.fracas("backups", "--set", "SERVICE_MANAGER=systemd")
        #expect(other.status == 3 && other.errors.contains("has its service under the built-in"), "\(other.errors)")
        #expect(try tree.hash() == releases.new, "nothing was touched")
        #expect(try tree.fracas("backups").status == 0)
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
    }
}
