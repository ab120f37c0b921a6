import Deployments
import Foundation
import Testing

/// The kit's scripts as an operator types them, on copies of the fixture.
@Suite("Deployment scripts", .serialized)
struct DeploymentTests {
    @Test func deployValidateAndRollBack() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        #expect(try tree.hash() == releases.old)
        try tree.start()

        let backup = try tree.run(DeployedTree.deploy, ["--backup-only"])
        #expect(backup.status == 0, "\(backup.text)")
        #expect(tree.names("backups").count == 1)
        #expect(try tree.hash() == releases.old)

        let deploy = try tree.run(DeployedTree.deploy)
        #expect(deploy.status == 0, "\(deploy.text)")
        #expect(deploy.text.contains("run the tests"))
        #expect(try tree.hash() == releases.new)
        #expect(try tree.serves())
        let backups = tree.names("backups")
        #expect(backups.count == 2 && backups.allSatisfy { $0.wholeMatch(of: /\d{8}_\d{6}/) != nil }, "\(backups)")
        for pattern in [#/deploy_\d{8}_\d{6}\.log/#, #/deployment_report_\d{8}_\d{6}\.md/#] {
            let name = try #require(tree.names("logs").first { $0.wholeMatch(of: pattern) != nil })
            #expect(try tree.mode("logs/\(name)") == 0o640)
        }
        #expect(try tree.mode("backups/\(backups[1])") == 0o750)
        #expect(try tree.mode("backups/\(backups[1])/manifest.json") == 0o640)

        let rollback = try tree.run(DeployedTree.rollback, ["deployment/backups/\(backups[1])"])
        #expect(rollback.status == 0, "\(rollback.text)")
        #expect(try tree.hash() == releases.old, "what the deployment added is gone again")
        #expect(try tree.serves())
        for pattern in [#/rollback_\d{8}_\d{6}\.log/#, #/rollback_report_\d{8}_\d{6}\.md/#] {
            #expect(tree.names("logs").contains { $0.wholeMatch(of: pattern) != nil })
        }

        // One word, and it does not mean what the last rollback put aside.
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"]).status == 0)
        #expect(try tree.hash() == releases.new)
        let latest = try tree.run(DeployedTree.rollback, ["latest"])
        #expect(latest.status == 0, "\(latest.text)")
        #expect(try tree.hash() == releases.old)
        #expect(try tree.run(DeployedTree.rollback, ["latest"]).status == 0)
        #expect(try tree.hash() == releases.old)
        #expect(try tree.fracas("backups").status == 0)
        #expect(try tree.fracas("doctor", "--deployment").status == 0)
    }

    @Test func aDryRunChangesNothing() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        for _ in 0..<2 {
            let before = try TreeHash.of(tree.root)
            let dry = try tree.run(DeployedTree.deploy, ["--dry-run"])
            #expect(dry.status == 0, "\(dry.text)")
            #expect(dry.text.contains("would add src/exo/worker/runner/shutdown_coordinator.py"))
            #expect(dry.text.contains("would change src/exo/worker/runner/bootstrap.py"))
            let byKey = try tree.run(DeployedTree.deploy, [], ["DRY_RUN": "true"])
            #expect(byKey.status == 0 && byKey.text.contains("would add"))
            #expect(try TreeHash.of(tree.root) == before)
            // Once more with the service running, which has files of its own.
            try tree.start()
        }
    }

    @Test func validationSaysWhatIsWrong() throws {
        let tree = try DeployedTree(["VALIDATION_INTERVAL": "0.1", "RESPONSE_SAMPLES": "3"])
        defer { tree.remove() }
        #expect(try tree.run(DeployedTree.validate, ["--report-only"]).status == 2)
        let down = try tree.run(DeployedTree.validate)
        #expect(down.status == 1)
        #expect(down.text.contains("service: failed: it does not run"), "\(down.text)")
        try tree.start()
        let up = try tree.run(DeployedTree.validate, ["--format", "json", "--since", "15m"])
        #expect(up.status == 0, "\(up.text)")
        let again = try tree.run(DeployedTree.validate, ["--report-only"])
        #expect(again.status == 0 && again.text.contains("# Validate report: healthy"), "\(again.text)")
        let metrics = try String(contentsOfFile: "\(tree.deployment)/logs/validate.prom", encoding: .utf8)
        #expect(metrics.contains("fracas_deployment_good{operation=\"validate\"} 1"))
        #expect(metrics.contains("fracas_deployment_value{operation=\"validate\",check=\"response time\",unit=\"ms\"}"))
        for (key, value, check) in [
            ("MEMORY_THRESHOLD", "0.0001", "memory"), ("THREAD_THRESHOLD", "1", "threads"),
            ("DESCRIPTOR_THRESHOLD", "1", "descriptors"), ("DISK_THRESHOLD", "0", "disk"),
            ("STATE_ENDPOINT", "/nothing", "state endpoint"), ("DASHBOARD_ENDPOINT", "/nothing", "dashboard endpoint"),
            ("HEALTH_ENDPOINT", "/nothing", "health endpoint"), ("RESPONSE_TIME_THRESHOLD", "0", "response time"),
        ] {
            let result = try tree.run(DeployedTree.validate, [], [key: value])
            #expect(result.status == 1 && result.text.contains("\(check): failed"), "\(key): \(result.text)")
        }
        let patterns = ["RACE_ERROR_PATTERNS": "exo: ready", "ERROR_THRESHOLD": "0"]
        #expect(try tree.run(DeployedTree.validate, [], patterns).text.contains("race errors: failed: 1 lines"))
        #expect(try tree.run(DeployedTree.validate, [], ["RACE_ERROR_PATTERNS": "exo: ready"]).status == 0)
    }

    @Test func continuousValidationStopsCleanly() throws {
        let tree = try DeployedTree(["VALIDATION_INTERVAL": "0.1"])
        defer { tree.remove() }
        try tree.start()
        let (process, output) = try tree.begin(DeployedTree.validate, ["--continuous"])
        _ = try output.text { $0.components(separatedBy: ": healthy\n").count >= 4 }
        process.interrupt()
        _ = output.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    }

    @Test func theKitIsInstalled() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        for name in [DeployedTree.deploy, DeployedTree.rollback, DeployedTree.validate, "logs", "backups", "config"] {
            #expect(try tree.mode(name) == 0o750, "\(name)")
        }
        for name in ["config/deployment.conf", "docs/deployment-guide.md", "docs/operational-procedures.md"] {
            #expect(try tree.mode(name) == 0o640, "\(name)")
        }
        #expect(try Command.run(["kit", "install", "/nonexistent"], in: tree.directory).status == 2)
    }

    @Test func whoAskedForItIsNotified() throws {
        let tree = try DeployedTree(["NOTIFY_COMMAND": "/bin/cp -t {root}/told", "NOTIFY_ON_FAILURE": "true"])
        defer { tree.remove() }
        try FileManager.default.createDirectory(atPath: "\(tree.root)/told", withIntermediateDirectories: true)
        try tree.start()
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"], ["SKIP_VALIDATION": "true"]).status == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(tree.root)/told").isEmpty)
        #expect(try tree.run(DeployedTree.rollback, ["20000101_000000"]).status == 2)
        let told = try FileManager.default.contentsOfDirectory(atPath: "\(tree.root)/told")
        #expect(told.count == 1 && told[0].hasPrefix("rollback_report_"), "\(told)")
    }

    /// The check on several nodes certifies what is deployed, not what lies beside it.
    @Test func theMultiNodeCheckCertifiesWhatIsDeployed() throws {
        let tree = try DeployedTree(["MULTI_NODE_TRIALS": "4"])
        defer { tree.remove() }
        try tree.start()
        let old = try tree.run(DeployedTree.validate)
        #expect(old.text.contains("multi-node check: failed: exit 1"), "\(old.text)")
        #expect(try tree.run(DeployedTree.deploy, ["--skip-tests"]).status == 0)
        let new = try tree.run(DeployedTree.validate)
        #expect(new.status == 0 && new.text.contains("multi-node check: passed"), "\(new.text)")
    }

    /// Every key is taken from the environment through the scripts, and a bad value is named with where it stands.
    @Test func everyKeyIsRead() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        for setting in Setting.all {
            let result = try tree.run(DeployedTree.validate, ["--report-only"], [setting.name: "a\u{7}b"])
            #expect(
                result.status == 2 && result.text.contains("environment variable \(setting.name)"), "\(result.text)")
        }
        let unknown = try tree.run(DeployedTree.deploy, ["--set", "API_PROT=1"])
        #expect(unknown.status == 2 && unknown.text.contains("unknown key 'API_PROT'"))
    }
}
