import Foundation
import Testing

/// What cannot be done, or not now, is refused with a clear error before anything is touched.
@Suite("Deployments that are refused", .serialized)
struct DeploymentRefusalTests {
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
        try tree.losesNothing(isUntouched: true) {
            for given in ["deployment/backups/\(name)", name, "latest"] {
                let rollback = try tree.run(DeployedTree.rollback, [given])
                #expect(rollback.status == 2, "\(rollback.text)")
                #expect(rollback.text.contains("files/src/exo/api.py"), "\(rollback.text)")
            }
        }
        #expect(try tree.fracas("backups").status == 1)
        #expect(try tree.fracas("doctor", "--deployment").output.contains("FAILED   backup \(name)"))
        #expect(try tree.run(DeployedTree.rollback, ["20000101_000000"]).text.contains("there is no backup"))
    }

    /// A manifest that was made to lead out of the tree, with a sum that fits.
    @Test func aManifestThatLeadsOutOfTheTreeIsRefused() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        try tree.start()
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
        try tree.losesNothing(isUntouched: true) {
            let rollback = try tree.run(DeployedTree.rollback, ["latest"])
            #expect(rollback.status == 2)
            #expect(rollback.text.contains("src/../../escaped', which leads out of the tree"), "\(rollback.text)")
        }
        #expect(!FileManager.default.fileExists(atPath: "\(tree.directory)/escaped"))
    }

    @Test func onlyOneAtATime() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        try tree.start()
        // What the one that is refused must leave alone: the tree that the other one is changing, and every backup.
        func isLeftAlone(_ body: () throws -> Void) throws {
            let before = try (tree.hash(), TreeHash.of("\(tree.deployment)/backups"))
            try body()
            #expect(try (tree.hash(), TreeHash.of("\(tree.deployment)/backups")) == before)
        }
        let first = try tree.whileHeld(DeployedTree.deploy, ["--skip-tests"]) { _ in
            try isLeftAlone {
                let second = try tree.run(DeployedTree.deploy, ["--skip-tests"])
                #expect(
                    second.status == 2 && second.text.contains("is being changed by a deployment (process"),
                    "\(second.text)")
            }
        }
        #expect(first == 0)
        #expect(try tree.hash() == releases.new)
        #expect(try tree.serves())
        let rollback = try tree.whileHeld(DeployedTree.rollback, ["latest"]) { _ in
            try isLeftAlone {
                let deploy = try tree.run(DeployedTree.deploy, ["--skip-tests"])
                #expect(
                    deploy.status == 2 && deploy.text.contains("is being changed by a rollback (process"),
                    "\(deploy.text)")
            }
            // Looking is allowed, and says so.
            let validation = try tree.run(DeployedTree.validate)
            #expect(validation.text.contains("recovery: warning"), "\(validation.text)")
        }
        #expect(rollback == 0)
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
        #expect(try tree.fracas("backups").status == 0)
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
        try tree.start()
        try tree.losesNothing(isUntouched: true) {
            for command in ["deploy-race-condition-fix.sh", "rollback-race-condition-fix.sh latest"] {
                let result = try inNamespace(
                    tree, "mount --bind \"$1\" \"$1\"; mount -o remount,ro,bind \"$1\"; \"$1\"/deployment/\(command)")
                #expect(result.status == 2, "\(result.text)")
                #expect(result.text.contains("Read-only file system"), "\(result.text)")
            }
        }
        #expect(try tree.fracas("backups").status == 0)
    }

    @Test(.enabled(if: geteuid() == 0, "mounting needs root"))
    func aDiskThatIsFullFromTheFirstByte() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let result = try inNamespace(
            tree,
            """
            mkdir "$2"; mount -t tmpfs -o size=4m,nr_inodes=600 none "$2"; cp -a "$1" "$2/tree"; cd "$2/tree"
            sum() { (find "$@" -name __pycache__ -prune -o -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum; }
            serves() { curl -fsS -o /dev/null "http://127.0.0.1:$(sed -n 's/^API_PORT="\\(.*\\)"/\\1/p' deployment/config/local.conf)/health"; }
            trap '"$FRACAS" service stop --force --tree .' EXIT
            "$FRACAS" service start --tree .
            deployment/deploy-race-condition-fix.sh --backup-only
            runs=$("$FRACAS" service status --tree .)
            before=$(sum src deployment/backups)
            release=$(sum src)
            dd if=/dev/zero of=../fill bs=4k 2>/dev/null || true
            for command in 'deploy-race-condition-fix.sh --skip-tests' 'rollback-race-condition-fix.sh latest'; do
                rc=0; deployment/$command || rc=$?
                [ "$(sum src deployment/backups)" = "$before" ]
                [ "$("$FRACAS" service status --tree .)" = "$runs" ]
                serves
                echo "$command: $rc"
            done
            rm ../fill
            "$FRACAS" backups --tree .
            deployment/deploy-race-condition-fix.sh --skip-tests
            [ "$(sum src)" != "$release" ]
            serves
            echo all well
            """)
        #expect(result.status == 0 && result.text.contains("all well"), "\(result.text)")
        #expect(result.text.contains("deploy-race-condition-fix.sh --skip-tests: 2"), "\(result.text)")
        #expect(result.text.contains("disk: 0 MiB are free"), "\(result.text)")
    }
}
