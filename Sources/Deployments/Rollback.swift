import Foundation
import Platform

/// Going back to a backup.
public struct Rollback: Sendable {
    private let tree: DeploymentTree
    private let backup: String
    private let emergency: Bool
    private let caller: Caller

    /// A rollback.
    /// - Parameters:
    ///   - backup: `latest`, a backup's name, or its directory.
    ///   - emergency: whether the service's own processes are killed without being asked to stop.
    public init(_ tree: DeploymentTree, to backup: String, emergency: Bool, caller: Caller) {
        self.tree = tree
        self.backup = backup
        self.emergency = emergency
        self.caller = caller
    }

    /// Does it. Blocks the calling thread.
    /// - Returns: the report, also of a rollback that failed and was itself undone.
    /// - Throws: `DeploymentError` when it could not begin: then nothing was changed.
    public func run() throws(DeploymentError) -> OperationReport {
        let operation = try Operation(tree, name: "rollback", logName: "rollback", caller: caller)
        operation.deadline = Clock.now() + tree.configuration.time("ROLLBACK_TIMEOUT")
        var report = attempt(operation)
        operation.conclude(&report, name: "rollback_report")
        return report
    }

    private func attempt(_ operation: Operation) -> OperationReport {
        do {
            let lock = try operation.step("take the lock of the tree", { (_: DeploymentLock) in "taken" }) {
                () throws(DeploymentError) in
                try DeploymentLock(tree, for: "a rollback")
            }
            defer { withExtendedLifetime(lock) {} }
            let recovery = Recovery(tree: tree, manager: operation.manager, log: operation.log)
            if let trouble = try recovery.run(evenWithoutService: true)?.trouble {
                operation.checks.append(Check("service after recovery", .warning, trouble))
            }
            let found = try operation.step("verify the backup", { (found: Backup) in found.path }) {
                () throws(DeploymentError) in
                try BackupStore(tree: tree).find(backup)
            }
            try operation.require(Preflight(tree: tree, manager: operation.manager).run(release: nil))
            let manifest = found.manifest
            // What cannot be read whole cannot be put aside either: then not even the journal is begun.
            _ = try operation.step("read the tree", { "\($0.count) entries" }) { () throws(DeploymentError) in
                try Scan.entries(of: tree.root, units: manifest.units)
            }
            let outcome = try ReleaseChange(operation: operation).run(
                ReleaseChange.Plan(
                    units: manifest.units, layers: [(root: "\(found.path)/files", entries: manifest.entries)],
                    backup: .safety, absent: [], release: "backup \(manifest.id)", restored: manifest.id,
                    // The tests came with the release that is left; what is restored has proven itself before.
                    testing: false, validationTimeout: "ROLLBACK_VALIDATION_TIMEOUT", emergency: emergency))
            if outcome.failure == nil, outcome.hash != manifest.treeHash {
                operation.checks.append(
                    Check(
                        "the tree is what the backup holds", .failed,
                        "its hash is \(outcome.hash ?? "unknown"), not \(manifest.treeHash)"))
            } else if outcome.failure == nil {
                operation.checks.append(Check("the tree is what the backup holds", .passed, manifest.treeHash))
            }
            var report = Deployer.report(operation, outcome)
            // From the tree's view what was restored is the new release; for the operator it is the old one.
            if let side = outcome.side { report.release = side == .after ? "restored" : "as before the rollback" }
            return report
        } catch {
            operation.log.step("failed: \(error)")
            return operation.report("failed", error: error)
        }
    }
}
