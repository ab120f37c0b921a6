import Foundation
import Testing

/// What each command does about an operation that was broken off, and with what exit code when it cannot be settled.
@Suite("Deployments that were broken off", .serialized)
struct DeploymentUnfinishedTests {
    /// A deployment that was killed after the exchange, with the service running before it.
    private func broken() throws -> DeployedTree {
        let tree = try LightTree.make()
        try tree.start()
        #expect(try tree.run(DeployedTree.validate).status == 0)
        let status = try tree.whileHeld(DeployedTree.deploy, []) { kill($0.processIdentifier, SIGKILL) }
        #expect(status == -1)
        return tree
    }

    /// Who only looks settles nothing, and says what there is.
    @Test func whoOnlyLooksSaysIt() throws {
        let tree = try broken()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        let before = try TreeHash.of(tree.root)
        let dry = try tree.run(DeployedTree.deploy, ["--dry-run"])
        #expect(dry.status == 0, "\(dry.text)")
        #expect(dry.text.contains("was broken off in its phase 'staged'"), "\(dry.text)")
        #expect(dry.text.contains("would undo the unfinished deploy of "), "\(dry.text)")
        let planned = try tree.json(DeployedTree.deploy, ["--dry-run", "--backup-only"])
        #expect(planned.status == 0 && planned.object["release"] as? String == "unsettled")
        #expect((planned.object["unfinished"] as? String)?.contains("undoes it") ?? false)
        let last = try tree.run(DeployedTree.validate, ["--report-only"])
        #expect(last.status == 0 && last.text.contains("note: a deploy of "), "\(last.text)")
        let json = try tree.json(DeployedTree.validate, ["--report-only"])
        #expect((json.object["unfinished"] as? String)?.contains("was broken off") ?? false)
        let status = try tree.fracas("service", "status")
        #expect(status.output.contains("note: a deploy of "), "\(status.output)")
        #expect(try TreeHash.of(tree.root) == before, "nothing was written")
        let stop = try tree.fracas("service", "stop")
        #expect(stop.status == 0 && stop.output.contains("note: a deploy of "), "\(stop.output)")
        #expect(try tree.hash() == releases.new)
        // And the next that changes something settles it first.
        #expect(try tree.run(DeployedTree.validate).status == 0)
        #expect(try tree.hash() == releases.old)
        #expect(try !tree.fracas("service", "status").output.contains("note: "))
    }

    @Test func whoIsAtWorkIsSaid() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        try tree.start()
        let status = try tree.whileHeld(DeployedTree.deploy, []) { _ in
            let status = try tree.fracas("service", "status")
            #expect(
                status.output.contains("note: the tree is being changed by a deployment (process "), "\(status.output)")
            let doctor = try tree.fracas("doctor", "--deployment")
            #expect(doctor.output.contains("is being changed by a deployment (process "), "\(doctor.output)")
            let dry = try tree.run(DeployedTree.deploy, ["--dry-run"])
            #expect(dry.text.contains("is being changed by a deployment (process "), "\(dry.text)")
        }
        #expect(status == 0, "and who looked disturbed nothing")
    }

    /// What could not be settled has the exit code of that, whichever command found it.
    @Test(arguments: [
        ["SERVICE_MANAGER=systemd"], ["INSTALL_COMMAND=/bin/false", "SERVICE_STOP_TIMEOUT=1"],
    ])
    func whatCannotBeSettledIsSaid(settings: [String]) throws {
        let tree = try broken()
        defer { tree.remove() }
        let releases = try DeployedTree.releases()
        // Of the two the second does not keep the tree from coming back: only the installation of the old release fails.
        let isHard = settings == ["SERVICE_MANAGER=systemd"]
        let set = settings.flatMap { ["--set", $0] }
        for (script, arguments) in [
            (DeployedTree.deploy, ["--backup-only"]), (DeployedTree.deploy, []), (DeployedTree.rollback, ["latest"]),
            (DeployedTree.validate, []),
        ] where isHard {
            let result = try tree.run(script, arguments + set)
            #expect(result.status == 3, "\(script) \(arguments): \(result.text)")
            #expect(result.text.contains("could not be settled: "), "\(result.text)")
            #expect(result.text.contains("then run any deploy, rollback, validate or backups"), "\(result.text)")
            #expect(try tree.hash() == releases.new, "nothing was touched")
        }
        for arguments in [["backups"], ["service", "start"]] where isHard {
            let command = try Command.run(arguments + ["--tree", tree.root] + set, in: tree.directory)
            #expect(command.status == 3 && command.errors.contains("could not be settled: "), "\(command.errors)")
        }
        if !isHard {
            for arguments in [["backups"], ["validate"]] {
                let command = try Command.run(arguments + ["--tree", tree.root] + set, in: tree.directory)
                #expect(command.status == 3, "\(command.output)\(command.errors)")
                #expect(command.output.contains("INSTALL_COMMAND for the old release: exit 1"), "\(command.output)")
                #expect(try tree.hash() == releases.old)
            }
        }
        let last = try tree.fracas("backups")
        #expect(last.status == 0, "\(last.errors)")
        #expect(try tree.hash() == releases.old)
        #expect(try tree.serves())
        #expect(!tree.exists("deployment/.journal"))
    }

    @Test func aJournalThatCannotBeRead() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        try tree.start()
        let before = try tree.hash()
        try tree.write("deployment/.journal", "{")
        for (script, arguments) in [
            (DeployedTree.deploy, ["--dry-run"]), (DeployedTree.deploy, []), (DeployedTree.rollback, ["latest"]),
            (DeployedTree.validate, []),
        ] {
            let result = try tree.run(script, arguments)
            #expect(result.status == 3 && result.text.contains("cannot be understood"), "\(result.text)")
        }
        #expect(try tree.fracas("service", "status").output.contains("cannot be understood"))
        #expect(try tree.hash() == before)
        try FileManager.default.removeItem(atPath: "\(tree.deployment)/.journal")
        #expect(try tree.run(DeployedTree.deploy).status == 0)
    }
}
