import Foundation
import Glibc
import Testing

/// The kit in a tree: what `fracas kit install` does to what is there, and where its scripts find their program.
@Suite("The deployment kit", .serialized)
struct DeploymentKitTests {
    private func install(_ tree: DeployedTree) throws -> String {
        let command = try Command.run(["kit", "install", tree.root], in: tree.directory)
        #expect(command.status == 0, "\(command.errors)")
        return command.output
    }

    /// The record then says of a file that an earlier kit put it there as it is.
    private func record(_ tree: DeployedTree, _ name: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "cd \"$1\" && sha256sum \"$2\" >.kit", "sh", tree.deployment, name]
        #expect(try process.runToEnd().status == 0)
    }

    @Test func whatAnOperatorChangedIsKept() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let mine = "#!/bin/sh\necho mine\n"
        let names = [DeployedTree.deploy, "docs/deployment-guide.md", "systemd/exo.service"]
        let own = names.map { tree.text("deployment/\($0)") }
        for name in names { try tree.write("deployment/\(name)", mine) }
        // Again and again: what is the operator's stays so.
        for _ in 0..<2 {
            let output = try install(tree)
            for (name, text) in zip(names, own) {
                let path = "\(tree.deployment)/\(name)"
                #expect(
                    output.contains("kept \(path), which was changed here; the kit's own is \(path).new\n"), "\(output)"
                )
                #expect(tree.text("deployment/\(name)") == mine)
                #expect(tree.text("deployment/\(name).new") == text)
            }
            #expect(output.contains("up to date \(tree.deployment)/\(DeployedTree.rollback)\n"), "\(output)")
        }
        // Taken over, it is the kit's again, and nothing is offered any more.
        for name in names {
            try FileManager.default.removeItem(atPath: "\(tree.deployment)/\(name)")
            try FileManager.default.copyItem(
                atPath: "\(tree.deployment)/\(name).new", toPath: "\(tree.deployment)/\(name)")
        }
        let last = try install(tree)
        #expect(!last.contains("was changed here; the kit's own"), "\(last)")
        #expect(names.allSatisfy { !tree.exists("deployment/\($0).new") })
        #expect(try tree.mode(DeployedTree.deploy) == 0o750)
    }

    @Test func whatNobodyChangedIsBroughtUpToDate() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let own = tree.text("deployment/\(DeployedTree.deploy)")
        try tree.write("deployment/\(DeployedTree.deploy)", "#!/bin/sh\necho an earlier kit's\n")
        try record(tree, DeployedTree.deploy)
        let output = try install(tree)
        #expect(output.contains("updated \(tree.deployment)/\(DeployedTree.deploy)\n"), "\(output)")
        #expect(tree.text("deployment/\(DeployedTree.deploy)") == own)
        // Without a record nobody knows whose it is.
        try tree.write("deployment/\(DeployedTree.deploy)", "#!/bin/sh\necho somebody's\n")
        try FileManager.default.removeItem(atPath: "\(tree.deployment)/.kit")
        #expect(try install(tree).contains("kept \(tree.deployment)/\(DeployedTree.deploy), which was changed here"))
    }

    /// Settings stay as they are; the kit's own are offered only where they are other ones than before.
    @Test func settingsStayAndGetTheirPermissions() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let path = "\(tree.deployment)/config/deployment.conf"
        let mine = tree.text("deployment/config/deployment.conf").replacing(
            "ERROR_THRESHOLD=5", with: "ERROR_THRESHOLD=6")
        try tree.write("deployment/config/deployment.conf", mine)
        chmod(path, 0o666)
        chmod("\(tree.deployment)/config/local.conf", 0o646)
        let output = try install(tree)
        #expect(
            output.contains("kept \(path), which was changed here, with permissions 640 instead of 666\n"), "\(output)")
        #expect(output.contains("local.conf, with permissions 640 instead of 646\n"), "\(output)")
        #expect(try tree.mode("config/deployment.conf") == 0o640 && tree.mode("config/local.conf") == 0o640)
        #expect(tree.text("deployment/config/deployment.conf") == mine)
        #expect(!tree.exists("deployment/config/deployment.conf.new"))
        try FileManager.default.removeItem(atPath: "\(tree.deployment)/.kit")
        #expect(try install(tree).contains("kept \(path), which was changed here; the kit's own is \(path).new\n"))
        #expect(tree.text("deployment/config/deployment.conf") == mine)
        // What a link under its name leads to is not the kit's to change.
        let elsewhere = "\(tree.directory)/elsewhere"
        try FileManager.default.moveItem(atPath: path, toPath: elsewhere)
        chmod(elsewhere, 0o644)
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: elsewhere)
        _ = try install(tree)
        var status = stat()
        #expect(stat(elsewhere, &status) == 0 && status.st_mode & 0o777 == 0o644)
    }

    /// As cron and sudo call them: with hardly an environment, by a link, from anywhere.
    @Test func scriptsKnowTheirProgram() throws {
        let tree = try LightTree.make(["PYTHON": Command.python])
        defer { tree.remove() }
        try tree.start()
        func run(_ script: String, _ arguments: [String] = [], _ environment: [String: String] = [:]) throws -> (
            status: Int32, text: String
        ) {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", "cd / && exec \"$0\" \"$@\"", script] + arguments
            process.environment = ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "SHELL": "/bin/sh"].merging(
                environment
            ) { $1 }
            return try process.runToEnd()
        }
        let link = "\(tree.directory)/a link"
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: "\(tree.deployment)/\(DeployedTree.validate)")
        for (script, arguments) in [
            ("\(tree.deployment)/\(DeployedTree.validate)", []), (link, []),
            ("\(tree.deployment)/\(DeployedTree.deploy)", ["--dry-run"]),
            ("\(tree.deployment)/\(DeployedTree.rollback)", ["latest", "--help"]),
        ] {
            let result = try run(script, arguments)
            #expect(result.status == 0, "\(script): \(result.text)")
        }
        // The program has gone from where it was: then the one in PATH, and without one it is said what to do.
        let path = "deployment/\(DeployedTree.validate)"
        let moved = tree.text(path).replacing(#/installed='.+'/#, with: "installed='/nonexistent/fracas'")
        #expect(moved != tree.text(path))
        try tree.write(path, moved)
        chmod("\(tree.root)/\(path)", 0o750)
        let nowhere = try run("\(tree.root)/\(path)")
        #expect(nowhere.status == 2 && nowhere.text.contains("no longer at '/nonexistent/fracas'"), "\(nowhere.text)")
        #expect(nowhere.text.contains("fracas kit install '\(tree.root)'"), "\(nowhere.text)")
        let directory = URL(fileURLWithPath: Command.program).deletingLastPathComponent().path
        #expect(try run("\(tree.root)/\(path)", [], ["PATH": "/usr/bin:/bin:\(directory)"]).status == 0)
        #expect(try run("\(tree.root)/\(path)", [], ["FRACAS": Command.program]).status == 0)
    }

    /// The fixture, copied and nothing else, has a service that starts, and whose scripts work with a program in PATH.
    @Test func theFixtureStartsAsCopied() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let root = "\(tree.directory)/copy"
        try FileManager.default.copyItem(atPath: DeployedTree.fixture, toPath: root)
        let port = try #require(tree.text("deployment/config/local.conf").firstMatch(of: #/API_PORT="(\d+)"/#)?.1)
        let options = ["API_PORT=\(port)", "PYTHON=\(Command.python)", "SERVICE_MANAGER=supervisor"]
            .reduce(["--tree", root]) { $0 + ["--set", $1] }
        let start = try Command.run(["service", "start"] + options, in: tree.directory)
        #expect(start.status == 0, "\(start.output)\(start.errors)")
        #expect(try Command.run(["service", "stop", "--force"] + options, in: tree.directory).status == 0)
        // Its scripts, copied by hand, are the kit's own.
        let kit = try Command.run(["kit", "install", root], in: tree.directory)
        #expect(!kit.output.contains("kept"), "\(kit.output)")
        #expect(kit.output.contains("updated \(root)/deployment/\(DeployedTree.deploy)\n"), "\(kit.output)")
        // What it starts as is the old release.
        let before = "\(DeployedTree.fixture)/releases/before"
        for name in try FileManager.default.subpathsOfDirectory(atPath: before) where name.hasSuffix(".py") {
            let one = FileManager.default.contents(atPath: "\(before)/\(name)")
            #expect(one == FileManager.default.contents(atPath: "\(DeployedTree.fixture)/\(name)"), "\(name)")
        }
    }
}
