import Foundation
import Testing

/// `fracas doctor --deployment`: the troubleshooting list, each point with its remedy.
@Suite("The doctor of deployments", .serialized)
struct DeploymentDoctorTests {
    private func expect(_ tree: DeployedTree, _ status: Int32, _ says: String...) throws {
        let doctor = try tree.fracas("doctor", "--deployment")
        #expect(doctor.status == status, "\(doctor.output)\(doctor.errors)")
        for text in says { #expect(doctor.output.contains(text), "\(text): \(doctor.output)") }
    }

    @Test func eachTroubleHasItsRemedy() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let manager = FileManager.default
        func mode(_ name: String, _ mode: Int) throws {
            try manager.setAttributes([.posixPermissions: mode], ofItemAtPath: "\(tree.deployment)/\(name)")
        }
        let untouched = try TreeHash.of(tree.root)
        try expect(
            tree, 1,
            "FAILED   service: it does not run under the built-in supervisor: start it with 'fracas service start",
            "warning  backups: there are none: make one with deploy-race-condition-fix.sh --backup-only",
            "-        last validation: there was none", "ok       unfinished operation: there is none")
        #expect(try TreeHash.of(tree.root) == untouched, "it looks only")

        try tree.start()
        #expect(try tree.run(DeployedTree.deploy, ["--backup-only"]).status == 0)
        try expect(tree, 0, "ok       service: process ", "ok       backups: 1, all of them whole")

        try mode(DeployedTree.deploy, 0o640)
        try expect(tree, 1, "FAILED   deploy-race-condition-fix.sh: is not executable: chmod 750")
        try manager.removeItem(atPath: "\(tree.deployment)/\(DeployedTree.rollback)")
        try expect(tree, 1, "FAILED   rollback-race-condition-fix.sh: is missing: fracas kit install")
        #expect(try Command.run(["kit", "install", tree.root], in: tree.directory).status == 0)
        try expect(tree, 0)

        try mode("config/local.conf", 0o666)
        try expect(tree, 1, "FAILED   configuration permissions: others than its owner can write to", "chmod 640")
        try mode("config/local.conf", 0o640)

        try mode("backups", 0o777)
        try expect(tree, 1, "FAILED   permissions: everyone can write to ", "chmod o-w")
        try mode("backups", 0o750)

        try manager.createDirectory(atPath: "\(tree.deployment)/.staging", withIntermediateDirectories: true)
        try expect(tree, 0, "warning  leftovers: an operation that was broken off left files beside the tree")
        // As it says, the next one removes them.
        #expect(try tree.fracas("backups").status == 0)
        try expect(tree, 0, "ok       unfinished operation: there is none")

        try tree.write("answer-health", "500 0")
        #expect(try tree.run(DeployedTree.validate).status == 1)
        try expect(
            tree, 1, "FAILED   service: process ", "runs but is not healthy: http://127.0.0.1:",
            "FAILED   last validation: ", "health endpoint: http://127.0.0.1:")
        let json = try tree.fracas("doctor", "--deployment", "--format", "json")
        // One object, as of every other command: a list alone has no room for what came of it.
        let answer = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let checks = try #require(answer["checks"] as? [[String: Any]])
        #expect(answer["exit"] as? Int == 1 && answer["outcome"] as? String == "unfit")
        #expect(checks.contains { $0["name"] as? String == "last validation" && $0["outcome"] as? String == "failed" })
    }
}
