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
