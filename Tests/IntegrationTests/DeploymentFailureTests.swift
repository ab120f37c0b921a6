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
        let before = try tree.hash()
        let deploy = try tree.run(DeployedTree.deploy, arguments, environment)
        #expect(deploy.status == status, "\(deploy.text)")
        #expect(deploy.text.contains(says), "\(deploy.text)")
        // At once: the commands below would remove what was left.
        #expect(!FileManager.default.fileExists(atPath: "\(tree.deployment)/.journal"))
        #expect(!FileManager.default.fileExists(atPath: "\(tree.deployment)/.staging"))
        #expect(try tree.hash() == before)
        #expect(try tree.serves())
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

    @Test func damagedBackupsAreRefused() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        try tree.start()
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"]).status == 0)
        let name = try #require(tree.names("backups").first)
        let file = "\(tree.deployment)/backups/\(name)/files/src/exo/api.py"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        bytes[100] ^= 4
        try bytes.write(to: URL(fileURLWithPath: file))
        let before = try tree.hash()
        for given in ["deployment/backups/\(name)", name, "latest"] {
            let rollback = try tree.run(DeployedTree.rollback, [given])
            #expect(rollback.status == 2, "\(rollback.text)")
            #expect(rollback.text.contains("files/src/exo/api.py"), "\(rollback.text)")
        }
        #expect(try tree.hash() == before)
        #expect(try tree.fracas("backups").status == 1)
        #expect(try tree.fracas("doctor", "--deployment").output.contains("FAILED   backup \(name)"))
        #expect(try tree.serves())
        #expect(try tree.run(DeployedTree.rollback, ["20000101_000000"]).text.contains("there is no backup"))
    }

    /// A manifest that was made to lead out of the tree, with a sum that fits.
    @Test func aManifestThatLeadsOutOfTheTreeIsRefused() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        #expect(try tree.run(DeployedTree.deploy, ["--backup-only"]).status == 0)
        let backup = "\(tree.deployment)/backups/\(try #require(tree.names("backups").first))"
        let manifest = try String(contentsOfFile: "\(backup)/manifest.json", encoding: .utf8)
        try manifest.replacingOccurrences(of: "\"src/exo/api.py\"", with: "\"src/../../escaped\"").write(
            toFile: "\(backup)/manifest.json", atomically: true, encoding: .utf8)
        let sum = Process()
        sum.executableURL = URL(fileURLWithPath: "/bin/sh")
        sum.arguments = ["-c", "cd '\(backup)' && sha256sum manifest.json >manifest.sha256"]
        try sum.run()
        sum.waitUntilExit()
        let rollback = try tree.run(DeployedTree.rollback, ["latest"])
        #expect(rollback.status == 2)
        #expect(rollback.text.contains("src/../../escaped', which leads out of the tree"), "\(rollback.text)")
        #expect(!FileManager.default.fileExists(atPath: "\(tree.directory)/escaped"))
    }

    @Test func onlyOneAtATime() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        try tree.start()
        let first = try tree.whileHeld(DeployedTree.deploy, ["--skip-tests"]) { _ in
            let second = try tree.run(DeployedTree.deploy, ["--skip-tests"])
            #expect(
                second.status == 2 && second.text.contains("is being changed by a deployment (process"),
                "\(second.text)")
        }
        #expect(first == 0)
        #expect(try tree.hash() == releases.new)
        let rollback = try tree.whileHeld(DeployedTree.rollback, ["latest"]) { _ in
            let deploy = try tree.run(DeployedTree.deploy, ["--skip-tests"])
            #expect(
                deploy.status == 2 && deploy.text.contains("is being changed by a rollback (process"), "\(deploy.text)")
            // Looking is allowed, and says so.
            let validation = try tree.run(DeployedTree.validate)
            #expect(validation.text.contains("recovery: warning"), "\(validation.text)")
        }
        #expect(rollback == 0)
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
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

    // MARK: disks

    /// Runs a shell's commands in a mount namespace of their own: `$1` is the tree, `$2` a directory for a disk.
    private func inNamespace(_ tree: DeployedTree, _ script: String) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.arguments = ["--mount", "sh", "-c", "set -eu\n" + script, "sh", tree.root, "\(tree.directory)/disk"]
        process.environment = ProcessInfo.processInfo.environment.merging(["FRACAS": Command.program]) { $1 }
        return try process.runToEnd()
    }

    @Test(.enabled(if: geteuid() == 0, "mounting needs root"))
    func aReadOnlyTree() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        try tree.start()
        for command in ["deploy-race-condition-fix.sh", "rollback-race-condition-fix.sh latest"] {
            let result = try inNamespace(
                tree, "mount --bind \"$1\" \"$1\"; mount -o remount,ro,bind \"$1\"; \"$1\"/deployment/\(command)")
            #expect(result.status == 2, "\(result.text)")
            #expect(result.text.contains("Read-only file system"), "\(result.text)")
        }
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
    }

    @Test(.enabled(if: geteuid() == 0, "mounting needs root"))
    func aDiskThatIsFullFromTheFirstByte() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let result = try inNamespace(
            tree,
            """
            mkdir "$2"; mount -t tmpfs -o size=4m,nr_inodes=600 none "$2"; cp -a "$1" "$2/tree"; cd "$2/tree"
            sum() { (find src -name __pycache__ -prune -o -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum; }
            trap '"$FRACAS" service stop --force --tree .' EXIT
            "$FRACAS" service start --tree .
            before=$(sum)
            dd if=/dev/zero of=../fill bs=4k 2>/dev/null || true
            rc=0; deployment/deploy-race-condition-fix.sh --skip-tests || rc=$?
            [ $rc = 2 ]; [ "$(sum)" = "$before" ]
            "$FRACAS" service status --tree .
            rm ../fill
            deployment/deploy-race-condition-fix.sh --skip-tests
            [ "$(sum)" != "$before" ]
            echo all well
            """)
        #expect(result.status == 0 && result.text.contains("all well"), "\(result.text)")
        #expect(result.text.contains("disk: 0 MiB are free"), "\(result.text)")
    }
}
