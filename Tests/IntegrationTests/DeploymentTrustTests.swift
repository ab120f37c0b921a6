import Foundation
import Glibc
import Testing

/// What root reads as settings and runs as programs, when somebody else can change it. Each is refused by name before anything
/// else is done, the doctor says the same, and once it is mended the deployment goes on.
@Suite(
    "Code of others as root", .serialized,
    .enabled(if: geteuid() == 0, "only root can be made to run the code of others"))
struct DeploymentTrustTests {
    private static let nobody: uid_t = 65_534

    /// A deployment that leaves a mark when anything of it is run.
    private func make(_ settings: [String: String] = [:]) throws -> DeployedTree {
        try LightTree.make(["INSTALL_COMMAND": "/usr/bin/touch {root}/ran"].merging(settings) { $1 })
    }

    private func expectRefused(
        _ tree: DeployedTree, _ says: String..., check: String = "configuration permissions",
        location: SourceLocation = #_sourceLocation
    ) throws {
        let logs = tree.names("logs"), backups = tree.names("backups")
        for (script, arguments) in [(DeployedTree.deploy, ["--skip-tests"]), (DeployedTree.rollback, ["latest"])] {
            let result = try tree.run(script, arguments)
            #expect(result.status == 2, "\(result.text)", sourceLocation: location)
            for text in says {
                #expect(result.text.contains(text), "\(text): \(result.text)", sourceLocation: location)
            }
        }
        let doctor = try tree.fracas("doctor", "--deployment")
        #expect(doctor.status == 1, sourceLocation: location)
        let line = doctor.output.split(separator: "\n").first { $0.hasPrefix("FAILED   \(check): ") }
        for text in says {
            #expect(line?.contains(text) ?? false, "\(text): \(doctor.output)", sourceLocation: location)
        }
        #expect(!tree.exists("ran"), "nothing was run", sourceLocation: location)
        #expect(tree.names("logs") == logs && tree.names("backups") == backups, sourceLocation: location)
    }

    private func expectDeployed(_ tree: DeployedTree) throws {
        let deploy = try tree.run(DeployedTree.deploy, ["--skip-tests"])
        #expect(deploy.status == 0, "\(deploy.text)")
        #expect(tree.exists("ran"))
    }

    /// An access list that lets a user write, as setfacl(1) makes it.
    private func letWrite(_ user: uid_t, _ path: String, mask: UInt16 = 6) throws {
        var bytes: [UInt8] = [2, 0, 0, 0]
        let entries: [(UInt16, UInt16, UInt32)] = [
            (0x01, 6, .max), (0x02, 6, user), (0x04, 4, .max), (0x10, mask, .max), (0x20, 0, .max),
        ]
        for (tag, permissions, id) in entries {
            bytes += [tag, permissions].flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * UInt32($0))) }
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let hex = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        process.arguments = [
            Command.python, "-c",
            "import os,sys; os.setxattr(sys.argv[1], 'system.posix_acl_access', bytes.fromhex(sys.argv[2]))", path, hex,
        ]
        let (status, text) = try process.runToEnd()
        try #require(status == 0, "\(text)")
    }

    @Test func settingsThatOthersCanWrite() throws {
        let tree = try make()
        defer { tree.remove() }
        for name in ["local.conf", "deployment.conf"] {
            let path = "\(tree.deployment)/config/\(name)"
            chown(path, Self.nobody, 0)
            try expectRefused(tree, "'\(path)' belongs to user nobody", "chown root '\(path)'")
            chown(path, 0, 0)
            for mode: mode_t in [0o666, 0o660] {
                chmod(path, mode)
                try expectRefused(tree, "can write to '\(path)'", "chmod 640 '\(path)'")
            }
            chmod(path, 0o640)
        }
        try expectDeployed(tree)
    }

    /// A mask that takes the list's write permission away leaves nobody who can.
    @Test func settingsWithAnAccessList() throws {
        let tree = try make()
        defer { tree.remove() }
        let path = "\(tree.deployment)/config/local.conf"
        try letWrite(Self.nobody, path)
        try expectRefused(tree, "'\(path)'")
        let config = "\(tree.deployment)/config"
        try letWrite(Self.nobody, path, mask: 4)
        try letWrite(Self.nobody, config, mask: 7)
        try expectRefused(
            tree, "'\(config)', on the way to", "can be written by user nobody, as its access list says",
            "setfacl -x u:nobody")
        try letWrite(Self.nobody, config, mask: 4)
        chmod(config, 0o750)
        try expectDeployed(tree)
    }

    @Test func directoriesOnTheWay() throws {
        let tree = try make()
        defer { tree.remove() }
        for path in ["\(tree.deployment)/config", tree.deployment, tree.root] {
            chown(path, Self.nobody, 0)
            try expectRefused(tree, "'\(path)', on the way to", "belongs to user nobody")
            chown(path, 0, 0)
            chmod(path, 0o757)
            try expectRefused(tree, "'\(path)', on the way to", "can be written by everyone", "chmod o-w '\(path)'")
            // A group that others are in; the tree's own directories are nobody's business otherwise.
            chown(path, 0, 65_534)
            chmod(path, 0o775)
            try expectRefused(tree, "'\(path)', on the way to", "can be written by group")
            chown(path, 0, 0)
            chmod(path, 0o755)
        }
        // A link leads to where others can write.
        let path = "\(tree.deployment)/config/local.conf", elsewhere = "\(tree.directory)/theirs"
        try FileManager.default.createDirectory(atPath: elsewhere, withIntermediateDirectories: true)
        try FileManager.default.moveItem(atPath: path, toPath: "\(elsewhere)/local.conf")
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "../../../theirs/local.conf")
        chown(elsewhere, Self.nobody, 0)
        try expectRefused(tree, "'\(elsewhere)', on the way to", "belongs to user nobody")
        chown(elsewhere, 0, 0)
        try expectDeployed(tree)
    }

    @Test func theInterpreter() throws {
        let tree = try make(["PYTHON": ""])
        defer { tree.remove() }
        let bin = "\(tree.directory)/theirs"
        try FileManager.default.createDirectory(atPath: bin, withIntermediateDirectories: true)
        try "#!/bin/sh\n: >\(tree.root)/ran\nexec '\(Command.python)' \"$@\"\n".write(
            toFile: "\(bin)/python", atomically: true, encoding: .utf8)
        chmod("\(bin)/python", 0o755)
        try FileManager.default.createDirectory(
            atPath: "\(tree.root)/.venv/bin", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: "\(tree.root)/.venv/bin/python", withDestinationPath: "\(bin)/python")
        for (path, text) in [("\(bin)/python", "'\(bin)/python'"), (bin, "'\(bin)', on the way to")] {
            chown(path, Self.nobody, 0)
            try expectRefused(tree, text, "belongs to user nobody", "run as the tree's interpreter", check: "programs")
            chown(path, 0, 0)
        }
        chmod("\(tree.root)/.venv/bin", 0o777)
        try expectRefused(tree, "'\(tree.root)/.venv/bin', on the way to", check: "programs")
        chmod("\(tree.root)/.venv/bin", 0o755)
        // What it runs by itself is its own too.
        let packages = "\(tree.root)/.venv/lib/python3/site-packages"
        try tree.write(".venv/pyvenv.cfg", "home = /usr/bin\n")
        try tree.write(".venv/lib/python3/site-packages/first.pth", "import os\n")
        for (path, text) in [
            ("\(packages)/first.pth", "'\(packages)/first.pth' belongs"), (packages, "'\(packages)' belongs"),
            ("\(tree.root)/.venv/pyvenv.cfg", "pyvenv.cfg' belongs"),
        ] {
            chown(path, Self.nobody, 0)
            try expectRefused(tree, text, "run by the tree's interpreter", check: "programs")
            chown(path, 0, 0)
        }
        try expectDeployed(tree)
    }

    @Test(arguments: [
        ("INSTALL_COMMAND", "/bin/sh {root}/hooks/it.sh"), ("INSTALL_COMMAND", "hooks/it.sh"),
        ("INSTALL_COMMAND", "/bin/sh hooks"), ("INSTALL_COMMAND", "/usr/bin/env --chdir={root}/hooks ./it.sh"),
        ("SERVICE_COMMAND", "/bin/sh {root}/hooks/it.sh"), ("NOTIFY_COMMAND", "/bin/sh {root}/hooks/it.sh"),
    ])
    func scripts(key: String, command: String) throws {
        let tree = try make([key: command, "NOTIFY_ON_FAILURE": "true"])
        defer { tree.remove() }
        try tree.write("hooks/it.sh", "#!/bin/sh\n: >\(tree.root)/ran\n")
        let path = "\(tree.root)/hooks/it.sh"
        chmod(path, 0o755)
        chown(path, Self.nobody, 0)
        try expectRefused(tree, "'\(path)'", "belongs to user nobody", "run by \(key)", check: "programs")
        chown(path, 0, 0)
        chmod(path, 0o757)
        try expectRefused(tree, "'\(path)'", "can be written by everyone", "run by \(key)", check: "programs")
        chmod(path, 0o755)
        if key != "SERVICE_COMMAND" { try expectRunnable(tree) }
    }

    private func expectRunnable(_ tree: DeployedTree) throws {
        let deploy = try tree.run(DeployedTree.deploy, ["--skip-tests", "--dry-run"])
        #expect(deploy.status == 0, "\(deploy.text)")
    }

    /// What is not run is not looked at, and what is run as somebody else is theirs to write.
    @Test func testsThatAreNotRunAsRoot() throws {
        let tree = try make(["TEST_COMMAND": "/bin/sh {root}/hooks/it.sh"])
        defer { tree.remove() }
        try tree.write("hooks/it.sh", "exit 0\n")
        chown("\(tree.root)/hooks/it.sh", Self.nobody, 0)
        let refused = try tree.run(DeployedTree.deploy)
        #expect(refused.status == 2 && refused.text.contains("run by TEST_COMMAND as root"), "\(refused.text)")
        #expect(!tree.exists("ran"))
        let asNobody = "/usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups /bin/true {root}/hooks/it.sh"
        let own = try tree.run(DeployedTree.deploy, ["--dry-run"], ["TEST_COMMAND": asNobody])
        #expect(own.status == 0, "\(own.text)")
        try expectDeployed(tree)
    }

    /// A release of somebody else's is deployed by who says so, and whose it is is said.
    @Test func aReleaseOfAnother() throws {
        let tree = try make()
        defer { tree.remove() }
        let release = "\(tree.root)/releases/fixed"
        chown(release, Self.nobody, 0)
        let deploy = try tree.json(DeployedTree.deploy, ["--skip-tests"])
        #expect(deploy.status == 0)
        let check = try DeployedTree.check("release", of: deploy.object)
        #expect(check["outcome"] as? String == "warning")
        #expect((check["detail"] as? String)?.contains("'\(release)' belongs to user nobody") ?? false, "\(check)")
    }

    /// What the release brings is looked at when it is there.
    @Test func aScriptThatTheReleaseBrings() throws {
        let tree = try make(["INSTALL_COMMAND": "/bin/sh src/install.sh"])
        defer { tree.remove() }
        try tree.write("src/install.sh", "exit 0\n")
        try tree.write("releases/fixed/src/install.sh", ": >\(tree.root)/ran\n")
        chmod("\(tree.root)/releases/fixed/src/install.sh", 0o666)
        let before = try tree.hash()
        let deploy = try tree.run(DeployedTree.deploy, ["--skip-tests"])
        #expect(deploy.status == 1 && deploy.text.contains("can be written by everyone"), "\(deploy.text)")
        #expect(try !tree.exists("ran") && tree.hash() == before)
        chmod("\(tree.root)/releases/fixed/src/install.sh", 0o644)
        try expectDeployed(tree)
    }
}
