import Foundation
import Testing

/// What a deployment does not touch is there after it, and after the way back.
@Suite("Deployments and what they keep", .serialized)
struct DeploymentKeepingTests {
    private static let python = Command.python

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
}
