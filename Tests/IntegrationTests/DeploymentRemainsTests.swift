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
        // It is run again for the old release when the new one is undone; then it has nothing to do.
        try ("[ -e writer ] && exit 0\n" + writer(prefix) + "\n").write(
            toFile: "\(tree.root)/install.sh", atomically: true, encoding: .utf8)
        let before = try tree.hash()
        let deploy = try tree.run(
            DeployedTree.deploy, ["--skip-tests"], ["INSTALL_COMMAND": "/bin/sh {root}/install.sh"])
        #expect(try !writes(tree))
        #expect(deploy.status == 1 && deploy.text.contains("write to it?"), "\(deploy.text)")
        #expect(try tree.hash() == before)
        #expect(try tree.serves())
    }

    /// A name that no manifest can have would be lost.
    @Test func namesThatAreNotTextAreRefused() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        #expect(try tree.run(DeployedTree.deploy, ["--backup-only"]).status == 0)
        let backups = tree.names("backups")
        try tree.start()
        let before = try tree.hash()
        let odd = Array("\(tree.root)/src/exo/caf".utf8CString.dropLast()) + [CChar(bitPattern: 0xE9), 0]
        let file = open(odd, O_CREAT | O_WRONLY, 0o644)
        #expect(file >= 0)
        close(file)
        for (script, arguments) in [
            (DeployedTree.deploy, ["--skip-tests"]), (DeployedTree.deploy, ["--backup-only"]),
            (DeployedTree.rollback, [backups[0]]),
        ] {
            let refused = try tree.run(script, arguments)
            #expect(refused.status == 2, "\(refused.text)")
            #expect(refused.text.contains("\(tree.root)/src/exo' has the name 'caf\\xe9'"), "\(refused.text)")
        }
        #expect(tree.names("backups") == backups)
        #expect(access(odd, F_OK) == 0)
        unlink(odd)
        #expect(try tree.hash() == before)
        #expect(try tree.serves())
    }

    /// The tests bring such a name into the new release: it goes back, and what is put aside can be removed.
    @Test func namesThatAreNotTextAreRemoved() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        try tree.start()
        let before = try tree.hash()
        try
            "[ ! -e done ] || exit 0; : >done; d=$(printf 'src/exo/caf\\351'); mkdir \"$d\"; : >\"$d/x\"; : >\"$d/$(printf '\\377')\"\n"
            .write(
                toFile: "\(tree.root)/install.sh", atomically: true, encoding: .utf8)
        let deploy = try tree.run(
            DeployedTree.deploy, ["--skip-tests"], ["INSTALL_COMMAND": "/bin/sh {root}/install.sh"])
        #expect(deploy.status == 1, "\(deploy.text)")
        #expect(deploy.text.contains("caf\\xe9"), "\(deploy.text)")
        #expect(tree.names(".").filter { $0 == ".journal" || $0 == ".staging" } == [])
        #expect(try tree.hash() == before)
        #expect(try tree.serves())
    }

    /// Who is not root cannot start the service as somebody else: it must not be started as whoever asks.
    @Test(.enabled(if: geteuid() == 0, "becoming another user needs root"))
    func anotherUsersServiceNeedsRoot() throws {
        let tree = try DeployedTree(["SERVICE_USER": "root"])
        defer { tree.remove() }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c",
            "chown -R 65534:65534 \"$1\"; exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$2\" service start --tree \"$1\"",
            "sh", tree.root, Command.program,
        ]
        let (status, text) = try process.runToEnd()
        #expect(status == 2, "\(text)")
        #expect(
            text.contains("local.conf:") && text.contains("SERVICE_USER is 'root', but this is user 65534"), "\(text)")
    }

    /// A service that has had nothing to say for long keeps its log.
    @Test func theRunningServicesLogIsKept() throws {
        let tree = try DeployedTree(["LOG_RETENTION_HOURS": "1"])
        defer { tree.remove() }
        try tree.start()
        let log = try #require(tree.names("logs").first { $0.wholeMatch(of: #/service_\d{8}_\d{6}\.log/#) != nil })
        let old = "service_20200101_000000.log"
        try "".write(toFile: "\(tree.deployment)/logs/\(old)", atomically: true, encoding: .utf8)
        for name in [log, old] {
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -86_400)],
                ofItemAtPath: "\(tree.deployment)/logs/\(name)")
        }
        #expect(try tree.run(DeployedTree.deploy, ["--backup-only"]).status == 0)
        #expect(tree.names("logs").contains(log))
        #expect(!tree.names("logs").contains(old))
    }

    /// Whoever interrupts does not wait for the command's end.
    @Test(.timeLimit(.minutes(1))) func commandsEndWhenInterrupted() throws {
        let tree = try DeployedTree()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        try tree.start()
        let status = try tree.whileHeld(DeployedTree.deploy, ["--skip-tests"]) { process in
            process.interrupt()
            process.waitUntilExit()
        }
        #expect(status == 130)
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
    }
}
