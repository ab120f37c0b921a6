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
            let lock = try operation.begin("a rollback")
            defer { withExtendedLifetime(lock) {} }
            Looks.begin(tree.root)
            guard let restoration = try choose(operation) else { return try nothing(operation) }
            let preflight = Preflight(tree: tree, manager: operation.manager)
            try operation.require(preflight.forRollback(units: restoration.units))
            try Attributes.require(restoration.layers.flatMap(\.entries), in: tree)
            let manifest = restoration.backup.manifest
            // What cannot be read whole cannot be put aside either: then not even the journal is begun.
            let present = try operation.step("read the tree", { $0 }) { () throws(DeploymentError) in
                try TreeChange(tree: tree).hash(restoration.units)
            }
            if present == restoration.hash {
                let text = "the tree is already what the backup \(manifest.id) holds: only the service starts anew"
                operation.checks.append(Check("change", .warning, text))
                operation.log.step(text)
            }
            let outcome = try ReleaseChange(operation: operation).run(
                ReleaseChange.Plan(
                    units: restoration.units, layers: restoration.layers,
                    backup: .safety, absent: [], release: "backup \(manifest.id)", restored: manifest.id,
                    // The tests came with the release that is left; what is restored has proven itself before.
                    testing: false, validationTimeout: "ROLLBACK_VALIDATION_TIMEOUT", emergency: emergency))
            if outcome.failure == nil {
                let isEqual = outcome.hash == restoration.hash
                operation.checks.append(
                    Check(
                        "the tree is what the backup holds", isEqual ? .passed : .failed,
                        isEqual
                            ? restoration.hash : "its hash is \(outcome.hash ?? "unknown"), not \(restoration.hash)"))
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

    /// What is to be restored; nil when the tree is that already.
    private func choose(_ operation: Operation) throws(DeploymentError) -> Restoration? {
        let store = BackupStore(tree: tree)
        let detail = { (found: Restoration?) in
            found.map { ([$0.backup.path] + $0.additions).joined(separator: "; ") } ?? "the tree is what it holds"
        }
        let restoration = try operation.step("verify the backup", detail) { () throws(DeploymentError) in
            backup == "latest" ? try Restoration.latest(in: store) : Restoration(of: try store.find(backup), in: store)
        }
        guard let restoration else { return nil }
        if !restoration.additions.isEmpty {
            operation.checks.append(
                Check(
                    "later changes", .passed,
                    "the backup does not hold all that was changed since; it comes from later ones: \(restoration.additions.joined(separator: "; "))"
                ))
        }
        for fault in restoration.faults {
            operation.checks.append(
                Check("later changes", .warning, "what only this later backup holds is not brought back: \(fault)"))
        }
        return restoration
    }

    /// The report of a rollback for which there is nothing to do.
    private func nothing(_ operation: Operation) throws(DeploymentError) -> OperationReport {
        let newest = try BackupStore(tree: tree).latest().manifest
        let text =
            "nothing to roll back to: the tree is already what the backup \(newest.id) holds, and no older one differs"
        operation.log.step(text)
        operation.checks.append(Check("change", .skipped, text))
        var report = operation.report("succeeded")
        report.backup = newest.id
        report.hashBefore = newest.treeHash
        report.hashAfter = newest.treeHash
        report.release = "as before the rollback"
        return report
    }
}
