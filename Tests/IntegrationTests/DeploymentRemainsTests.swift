import Foundation
import Testing

/// What an operation's commands leave behind, and what stands in a tree that nobody expected.
@Suite("Deployments and what else is there", .serialized)
struct DeploymentRemainsTests {
    /// What writes to the tree for ever, in a session of its own or in its command's group.
    private func writer(_ prefix: String) -> String {
        "\(prefix) sh -c 'echo $$ >writer; while :; do echo x >>src/exo/late; sleep 0.01; done' >/dev/null 2>&1 & "
            + "until [ -s writer ]; do sleep 0.01; done"
    }

    private func writes(_ tree: DeployedTree) throws -> Bool {
        let text = try String(contentsOfFile: "\(tree.root)/writer", encoding: .utf8)
        let pid = text.trimmingCharacters(in: .whitespacesAndNewlines)
        // Who has ended may wait for this machine's first process to reap it, and then has no environment any more.
        return FileManager.default.contents(atPath: "/proc/\(pid)/environ")?.isEmpty == false
    }

    /// What a killed deployment's commands started must not write to the tree that was restored.
    @Test func whatAKilledDeploymentStartedEnds() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        try tree.start()
        let status = try tree.whileHeld(DeployedTree.deploy, ["--skip-tests"], first: writer("setsid")) { process in
            kill(process.processIdentifier, SIGKILL)
        }
        #expect(status == -1)
        #expect(try writes(tree), "it outlives the deployment")
        let next = try tree.fracas("backups")
        #expect(next.status == 0, "\(next.errors)")
        #expect(try !writes(tree))
        #expect(try tree.hash() == releases.old)
    }

    @Test(arguments: ["setsid", ""])
    func whatACommandLeavesEndsWithIt(prefix: String) throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        try tree.start()
        try (writer(prefix) + "\n").write(toFile: "\(tree.root)/install.sh", atomically: true, encoding: .utf8)
        let before = try tree.hash()
        let deploy = try tree.run(
            DeployedTree.deploy, ["--skip-tests"], ["INSTALL_COMMAND": "/bin/sh {root}/install.sh"])
        #expect(try !writes(tree))
        #expect(deploy.status == 1 && deploy.text.contains("write to it?"), "\(deploy.text)")
        #expect(try tree.hash() == before)
        #expect(try tree.serves())
    }
}
