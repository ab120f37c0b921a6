import Deployments
import Foundation
import Testing

/// Of each key of `deployment.conf` what it does: a key that is accepted and does nothing has no place there.
@Suite("Settings of a deployment", .serialized)
struct DeploymentSettingTests {
    @Test(arguments: Setting.all.map(\.name))
    func eachKeyHasItsEffect(key: String) throws {
        let proof = try #require(SettingProof.all[key], "\(key) has no proof")
        let tree = try LightTree.make()
        defer { tree.remove() }
        try proof(tree)
    }

    /// The guide has each key as it is.
    @Test func theGuideHasEveryKey() throws {
        let guide = try String(
            contentsOfFile: "\(DeployedTree.fixture)/deployment/docs/deployment-guide.md", encoding: .utf8)
        for setting in Setting.all {
            let standard =
                setting.standard.map { $0.isEmpty ? "empty" : "`\($0)`" } ?? "must be given"
            #expect(guide.contains("\n| `\(setting.name)` | \(standard) | \(setting.meaning) |\n"), "\(setting.name)")
        }
        let rows = guide.matches(of: #/(?m)^\| `[A-Z_]+` \|/#).count
        #expect(rows == Setting.all.count)
    }
}
