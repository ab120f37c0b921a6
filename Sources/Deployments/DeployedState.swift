import Foundation
import Platform

/// What was deployed last.
struct DeployedState: Codable {
    var operation: String
    var id: String
    var release: String
    var treeHash: String
    var backup: String

    init(_ journal: Journal) {
        operation = journal.operation
        id = journal.id
        release = journal.release
        treeHash = journal.after
        backup = journal.backups.first ?? ""
    }

    func save(_ tree: DeploymentTree) throws(DeploymentError) {
        do { try Files.replace(tree.state, try Text.json(self), mode: 0o640) } catch {
            throw DeploymentError(.files, "write '\(tree.state)': \(error)\(Copying.remedy(error))")
        }
    }

    static func load(_ tree: DeploymentTree) -> DeployedState? {
        ProcFile.bytes(tree.state).flatMap { try? JSONDecoder().decode(DeployedState.self, from: Data($0)) }
    }
}
