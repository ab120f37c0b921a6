import Foundation
import Testing

/// What a deployment does not touch is there after it, and after the way back.
@Suite("Deployments and what they keep", .serialized)
struct DeploymentKeepingTests {
    /// A module without a source, and a cache: both are the tree's, and neither the release nor the way back removes them.
    @Test func compiledModulesStay() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        try tree.write("src/lib/mod.pyc", "a module without a source")
        try tree.write("src/lib/__pycache__/kept.cpython-311.pyc", "a cache")
        try tree.write("src/.pytest_cache/v/lastfailed", "{}")
        let kept = ["src/lib/mod.pyc", "src/lib/__pycache__/kept.cpython-311.pyc", "src/.pytest_cache/v/lastfailed"]
        try tree.start()
        let deployment = try tree.run(DeployedTree.deploy)
        #expect(deployment.status == 0, "\(deployment.text)")
        for name in kept { #expect(tree.exists(name), "\(name) after the deployment") }
        let backup = try #require(tree.names("backups").last)
        for name in kept { #expect(tree.exists("deployment/backups/\(backup)/files/\(name)"), "\(name) in the backup") }
        let rollback = try tree.run(DeployedTree.rollback, ["latest"])
        #expect(rollback.status == 0, "\(rollback.text)")
        for name in kept { #expect(tree.exists(name), "\(name) after the rollback") }
        #expect(tree.text("src/lib/mod.pyc") == "a module without a source")
    }

    /// What an old source was compiled to must not run in place of the new one, and is there again with the old one.
    @Test func cachesOfChangedSourcesGoAndComeBack() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        try tree.write("src/changed.py", "x = 1")
        try tree.write("src/same.py", "x = 1")
        try tree.write("releases/fixed/src/changed.py", "x = 2")
        try tree.write("releases/fixed/src/same.py", "x = 1")
        let (stale, current) = ("src/__pycache__/changed.cpython-311.pyc", "src/__pycache__/same.cpython-311.pyc")
        try tree.write(stale, "of x = 1")
        try tree.write(current, "of x = 1")
        try tree.start()
        let deployment = try tree.run(DeployedTree.deploy)
        #expect(deployment.status == 0, "\(deployment.text)")
        #expect(!tree.exists(stale) && tree.exists(current))
        #expect(try tree.run(DeployedTree.rollback, ["latest"]).status == 0)
        #expect(tree.exists(stale) && tree.exists(current))
    }

    /// A service that writes its caches while it stops does not keep a deployment from its end; one that writes a module does.
    @Test(arguments: [("src/__pycache__/late.pyc", true), ("src/late.pyc", false)])
    func cachesMayChangeMeanwhile(name: String, succeeds: Bool) throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        let service = tree.text("service.py").replacingOccurrences(
            of: "lambda *_: os._exit(0)",
            with:
                "lambda *_: (os.makedirs(os.path.dirname(root + '/\(name)'), exist_ok=True), open(root + '/\(name)', 'w').close(), os._exit(0))"
        )
        try tree.write("service.py", service)
        try tree.start()
        let deployment = try tree.run(DeployedTree.deploy)
        #expect((deployment.status == 0) == succeeds, "\(deployment.text)")
        if !succeeds {
            #expect(deployment.text.contains("the tree was changed by something else"), "\(deployment.text)")
        }
    }

    // MARK: attributes

    /// Capabilities, access lists, what users keep beside a file, and when it was changed: of what a release leaves and, but for the
    /// time, of what it replaces.
    @Test(.enabled(if: Attributes.canBeGiven, "needs root and a file system with extended attributes"))
    func attributesAndTimesStay() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        for name in ["src/tool", "src/replaced", "src/plain", "src/place/inner"] { try tree.write(name, "old") }
        try tree.write("releases/fixed/src/replaced", "new")
        try Attributes.give(tree.root)
        let (before, plain) = (try Attributes.of("src", in: tree.root), try tree.hash())
        #expect(before.contains("security.capability") && before.contains("posix_acl_default"), "\(before)")
        try tree.start()
        let deployment = try tree.run(DeployedTree.deploy)
        #expect(deployment.status == 0, "\(deployment.text)")
        #expect(tree.text("src/replaced") == "new")
        for name in ["src/tool", "src/plain", "src/place"] {
            let now = try Attributes.of(name, in: tree.root)
            for line in now.split(separator: "\n") { #expect(before.contains(line), "\(line)") }
        }
        let replaced = try Attributes.of("src/replaced", in: tree.root)
        #expect(replaced.contains("posix_acl_access") && replaced.contains("user.note"), "\(replaced)")
        let rollback = try tree.run(DeployedTree.rollback, ["latest"])
        #expect(rollback.status == 0, "\(rollback.text)")
        #expect(try Attributes.of("src", in: tree.root) == before)
        #expect(try tree.hash() == plain)
        #expect(try tree.run(DeployedTree.rollback, ["latest"]).text.contains("nothing to roll back to"))
    }

    /// A change of attributes alone is one that a backup can bring back.
    @Test(.enabled(if: Attributes.canBeGiven, "needs root and a file system with extended attributes"))
    func anAttributeThatWentComesBack() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        for name in ["src/tool", "src/replaced", "src/plain", "src/place/inner"] { try tree.write(name, "old") }
        try Attributes.give(tree.root)
        let before = try Attributes.of("src", in: tree.root)
        #expect(try tree.run(DeployedTree.deploy, ["--backup-only"]).status == 0)
        #expect(try Attributes.python("os.removexattr('src/tool', 'security.capability')", in: tree.root).isEmpty)
        #expect(try Attributes.of("src", in: tree.root) != before)
        let rollback = try tree.run(DeployedTree.rollback, ["latest"])
        #expect(rollback.status == 0, "\(rollback.text)")
        #expect(try Attributes.of("src", in: tree.root) == before)
    }

    /// Who may not give a file its capability leaves everything as it is, and says which file.
    @Test(.enabled(if: Attributes.canBeGiven, "needs root and a file system with extended attributes"))
    func whatCannotBeKeptIsRefused() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        try tree.write("src/tool", "old")
        try Attributes.python(
            "os.setxattr('src/tool', 'security.capability', \(Attributes.capability))", in: tree.root)
        let attributes = try Attributes.of("src/tool", in: tree.root)
        // Everything but root's right to give files capabilities.
        let deployment = try Attributes.python(
            """
            import ctypes, subprocess
            # PR_CAPBSET_DROP, CAP_SETFCAP: what is executed then does not have it.
            drop = lambda: ctypes.CDLL(None).prctl(24, 31, 0, 0, 0)
            done = subprocess.run(['\(Command.program)', 'deploy', '--tree', '.'], preexec_fn=drop, capture_output=True, text=True)
            print(done.returncode, done.stdout, done.stderr)
            """, in: tree.root)
        #expect(deployment.hasPrefix("2 "), "\(deployment)")
        #expect(deployment.contains("src/tool' has security.capability, which cannot be kept"), "\(deployment)")
        #expect(try Attributes.of("src/tool", in: tree.root) == attributes)
        #expect(tree.names("backups").isEmpty && !tree.exists("deployment/.attributes.new"))
    }
}

/// Extended attributes as Python gives and reads them.
private enum Attributes {
    /// CAP_NET_BIND_SERVICE, effective and permitted.
    static let capability = "struct.pack('<IIIII', 0x02000001, 1 << 10, 0, 0, 0)"
    /// The owner and user 65534 may read and write, everyone may read.
    private static let list =
        "struct.pack('<I' + 'HHI' * 5, 2, 1, 6, 2**32-1, 2, 6, 65534, 4, 4, 2**32-1, 16, 6, 2**32-1, 32, 4, 2**32-1)"

    static let canBeGiven: Bool = {
        guard let directory = try? Command.temporaryDirectory() else { return false }
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let code = """
            open('f', 'w')
            os.setxattr('f', 'security.capability', \(capability)); os.setxattr('f', 'user.note', b'x')
            os.setxattr('f', 'system.posix_acl_access', \(list)); print('yes')
            """
        return (try? python(code, in: directory)) == "yes\n"
    }()

    /// Gives files of a tree attributes of every kind, and times long ago.
    static func give(_ root: String) throws {
        let said = try python(
            """
            os.chmod('src/tool', 0o755)
            os.setxattr('src/tool', 'security.capability', \(capability))
            os.setxattr('src/replaced', 'system.posix_acl_access', \(list))
            os.setxattr('src/replaced', 'user.note', b'kept')
            os.setxattr('src/place', 'system.posix_acl_default', \(list))
            os.setxattr('src/place', 'user.note', bytes(300))
            for name in ('src/place/inner', 'src/place', 'src/plain', 'src/tool', 'src/replaced'):
                os.utime(name, ns=(0, 1000000000123456789))
            """, in: root)
        try #require(said.isEmpty, "\(said)")
    }

    /// One line for what has this name in a tree, and for everything below it.
    static func of(_ name: String, in root: String) throws -> String {
        try python(
            """
            def show(path):
                found = [(n, os.getxattr(path, n).hex()) for n in sorted(os.listxattr(path)) if n != 'security.selinux']
                status = os.lstat(path)
                print(path, oct(status.st_mode), status.st_mtime_ns if not os.path.samefile(path, 'src') else '', found)
            show('\(name)')
            for at, inside, files in sorted(os.walk('\(name)')):
                for one in sorted(inside + files): show(at + '/' + one)
            """, in: root)
    }

    @discardableResult
    static func python(_ code: String, in directory: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Command.python)
        process.arguments = ["-c", "import os, struct\n\(code)"]
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }
}
