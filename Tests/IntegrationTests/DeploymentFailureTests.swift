import Foundation
import Testing

/// What goes wrong ends in a clear error, with the old release serving and nothing lost.
@Suite("Deployments that fail", .serialized)
struct DeploymentFailureTests {
    /// Deploys over a running old release and expects that it fails, and that nothing came of it.
    private func expectUndone(
        _ tree: DeployedTree, _ arguments: [String] = [], _ environment: [String: String] = [:], status: Int32 = 1,
        says: String
    ) throws {
        try tree.losesNothing {
            let deploy = try tree.run(DeployedTree.deploy, arguments, environment)
            #expect(deploy.status == status, "\(deploy.text)")
            #expect(deploy.text.contains(says), "\(deploy.text)")
            // At once: the commands below would remove what was left.
            #expect(!FileManager.default.fileExists(atPath: "\(tree.deployment)/.journal"))
            #expect(!FileManager.default.fileExists(atPath: "\(tree.deployment)/.staging"))
        }
        #expect(try tree.fracas("backups").status == 0)
    }

    private func change(_ tree: DeployedTree, _ path: String, _ text: String) throws {
        let file = "\(tree.root)/releases/fixed/src/\(path)"
        try FileManager.default.createDirectory(
            atPath: URL(fileURLWithPath: file).deletingLastPathComponent().path, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: true, encoding: .utf8)
    }

    @Test func testsThatFail() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        try tree.start()
        try change(tree, "exo/worker/tests/test_more.py", "def test_it(): assert 'a' == 'b'\n")
        try expectUndone(tree, says: "TEST_COMMAND")
        // And without the tests the same release goes through.
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"]).status == 0)
    }

    @Test func aReleaseThatNeverStarts() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        try tree.start()
        try change(tree, "exo/main.py", "print('no such model')\nraise SystemExit(1)\n")
        try expectUndone(
            tree, ["--skip-tests"], says: "the service ended instead of serving")
        // One that lives but never comes so far as to serve.
        try change(tree, "exo/main.py", "import time\nprint('warming up', flush=True)\ntime.sleep(600)\n")
        try expectUndone(
            tree, ["--skip-tests", "--set", "SERVICE_START_TIMEOUT=10"], says: "the service is not healthy: ")
    }

    /// Likewise what a rollback brings back: then it is the rollback that is undone.
    @Test func aBackupThatNeverStarts() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let main = "\(tree.root)/src/exo/main.py"
        let good = try String(contentsOfFile: main, encoding: .utf8)
        try "raise SystemExit('no such model')\n".write(toFile: main, atomically: true, encoding: .utf8)
        #expect(try tree.run(DeployedTree.deploy, ["--backup-only"]).status == 0)
        try good.write(toFile: main, atomically: true, encoding: .utf8)
        try tree.start()
        try tree.losesNothing {
            let rollback = try tree.run(DeployedTree.rollback, ["latest"])
            #expect(rollback.status == 1, "\(rollback.text)")
            #expect(rollback.text.contains("the service ended instead of serving"), "\(rollback.text)")
            #expect(!FileManager.default.fileExists(atPath: "\(tree.deployment)/.journal"))
        }
        #expect(try tree.fracas("backups").status == 0)
    }

    @Test func healthThatAnswers500() throws {
        let tree = try DeployedTree(["HEALTH_CHECK_RETRIES": "100"])
        defer { tree.remove() }
        try tree.start()
        let api = try String(contentsOfFile: "\(tree.root)/src/exo/api.py", encoding: .utf8)
        try change(
            tree, "exo/api.py",
            api.replacingOccurrences(of: "\"200 OK\", \"application/json\"", with: "\"500 No\", \"a/b\""))
        try expectUndone(tree, ["--skip-tests"], ["HEALTH_CHECK_TIMEOUT": "1"], says: "/health answered 500")
    }

    /// The release before the fix hangs in its shutdown.
    @Test func aServiceThatNeverStops() throws {
        let tree = try DeployedTree(["FORCE_STOP": "false"])
        defer { tree.remove() }
        try tree.start()
        try expectUndone(tree, ["--skip-tests"], says: "the service did not stop by SIGTERM within its time")
        let backup = try #require(tree.names("backups").first)
        try tree.losesNothing {
            let rollback = try tree.run(DeployedTree.rollback, [backup])
            #expect(rollback.status == 1, "\(rollback.text)")
            #expect(rollback.text.contains("the service did not stop by SIGTERM within its time"), "\(rollback.text)")
        }
        // What is for it: killing its own processes, on demand.
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests", "--set", "FORCE_STOP=true"]).status == 0)
    }

    @Test func emergencyKillsOnlyItsOwn() throws {
        let tree = try DeployedTree(["FORCE_STOP": "false"])
        defer { tree.remove() }
        let other = try DeployedTree()
        defer { other.remove() }
        let releases = try DeployedTree.releases()
        try other.start()
        let process = try other.fracas("service", "status").output
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"]).status == 0)
        #expect(try tree.hash() == releases.new)
        let rollback = try tree.run(DeployedTree.rollback, ["latest", "--emergency"])
        #expect(rollback.status == 0, "\(rollback.text)")
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
        #expect(try other.fracas("service", "status").output == process, "the same program in another tree goes on")
    }

    /// Killed after the exchange: the tree shows the new release, unproven, until the next command.
    @Test func aKilledDeploymentIsUndoneByTheNextCommand() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        try tree.start()
        for next in ["backups", "validate"] {
            let status = try tree.whileHeld(DeployedTree.deploy, ["--skip-tests"]) { process in
                let shown = try tree.hash()
                #expect(shown == releases.new)
                kill(process.processIdentifier, SIGKILL)
            }
            #expect(status == -1)
            let doctor = try tree.fracas("doctor", "--deployment")
            #expect(doctor.output.contains("was broken off in its phase 'staged'"), "\(doctor.output)")
            #expect(try tree.fracas(next).status == 0)
            #expect(try tree.hash() == releases.old)
            #expect(try tree.serves())
        }
    }

    /// Whoever wants to look at the failed release first has until the next command.
    @Test func withoutAutomaticRollbackTheNextCommandUndoes() throws {
        let tree = try DeployedTree(["AUTO_ROLLBACK_ON_FAILURE": "false"])
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        try tree.start()
        let deploy = try tree.run(DeployedTree.deploy, ["--skip-tests"], ["INSTALL_COMMAND": "/bin/false"])
        #expect(deploy.status == 3 && deploy.text.contains("INSTALL_COMMAND '/bin/false': exit 1"), "\(deploy.text)")
        #expect(try tree.hash() == releases.new)
        #expect(try tree.fracas("backups").status == 0)
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
    }

    /// What the new release installed is replaced by what the old one installs.
    @Test func theOldReleaseIsInstalledAgain() throws {
        let tree = try DeployedTree([
            "INSTALL_COMMAND": "/bin/cp src/exo/utils/channels.py installed", "TEST_COMMAND": "/bin/false",
        ])
        defer { tree.remove() }
        try tree.start()
        #expect(try tree.run(DeployedTree.deploy).status == 1)
        let channels = try String(contentsOfFile: "\(tree.root)/src/exo/utils/channels.py", encoding: .utf8)
        #expect(try String(contentsOfFile: "\(tree.root)/installed", encoding: .utf8) == channels)
        #expect(try tree.serves())
    }

    /// Also when the way back has put back the names, but was killed before it had put back what was installed.
    @Test func theOldReleaseIsInstalledAgainByWhoeverComesNext() throws {
        let tree = try DeployedTree(["INSTALL_COMMAND": "/bin/sh {root}/install.sh"])
        defer { tree.remove() }
        try """
        n=$(($(cat count 2>/dev/null || echo 0) + 1)); echo $n >count
        [ $n != 2 ] || { kill -KILL $PPID; exit 1; }
        cp src/exo/utils/channels.py installed
        [ $n != 1 ] || kill -KILL $PPID
        """.write(toFile: "\(tree.root)/install.sh", atomically: true, encoding: .utf8)
        let releases = try DeployedTree.releases()
        try tree.start()
        func isInstalled() -> Bool {
            FileManager.default.contentsEqual(
                atPath: "\(tree.root)/installed", andPath: "\(tree.root)/src/exo/utils/channels.py")
        }
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"]).status == SIGKILL)
        #expect(try tree.hash() == releases.new)
        #expect(isInstalled())
        #expect(try tree.fracas("backups").status == SIGKILL)
        #expect(try tree.hash() == releases.old)
        #expect(!isInstalled())
        #expect(try tree.fracas("backups").status == 0)
        #expect(try tree.hash() == releases.old)
        #expect(isInstalled(), "what is installed is the old release's")
        #expect(try tree.serves())
    }

    /// A service that writes to its tree while it stops: the deployment would lose that.
    @Test func aTreeThatChangesMeanwhile() throws {
        let tree = try DeployedTree(["SERVICE_COMMAND": "/bin/sh {root}/service.sh"])
        defer { tree.remove() }
        let service =
            "trap 'echo note >>src/exo/note; kill -KILL $!; exit' TERM\n\"\(Command.python)\" -m exo &\nwait\n"
        try service.write(toFile: "\(tree.root)/service.sh", atomically: true, encoding: .utf8)
        try tree.start()
        let deploy = try tree.run(DeployedTree.deploy, ["--skip-tests"])
        #expect(deploy.status == 1 && deploy.text.contains("was changed by something else"), "\(deploy.text)")
        #expect(FileManager.default.contents(atPath: "\(tree.root)/src/exo/note") != nil, "nothing is lost")
        #expect(try tree.serves())
        #expect(!FileManager.default.fileExists(atPath: "\(tree.deployment)/.journal"))
    }

    @Test func interruptedByTheOperator() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        try tree.start()
        let status = try tree.whileHeld(DeployedTree.deploy, ["--skip-tests"]) { $0.interrupt() }
        #expect(status == 130)
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
    }
}
