import Foundation
import Platform

/// Going back to a backup.
public struct Rollback: Sendable {
    private let tree: DeploymentTree
    private let backup: String
    private let emergency: Bool
    private let force: Bool
    private let safety: Bool
    private let caller: Caller

    /// A rollback.
    /// - Parameters:
    ///   - backup: `latest`, a backup's name, or its directory.
    ///   - emergency: whether the service's own processes are killed without being asked to stop.
    ///   - safety: whether what a rollback put aside is meant, to undo it.
    ///   - force: whether it is done although the tree is what the backup holds already and serves.
    public init(
        _ tree: DeploymentTree, to backup: String, emergency: Bool, safety: Bool = false, force: Bool = false,
        caller: Caller
    ) {
        self.tree = tree
        self.backup = backup
        self.emergency = emergency
        self.safety = safety
        self.force = force
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
            let standing = Standing(operation: operation)
            if present == restoration.hash, !emergency, !force, standing.holds(present) {
                return standing.report(
                    "nothing is to be done: the tree is already what the backup \(manifest.id) holds, and serves; --force restores it all the same",
                    hash: present, side: "as before the rollback", backup: manifest.id)
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
            if report.release != "unsettled", let side = outcome.side {
                report.release = side == .after ? "restored" : "as before the rollback"
            }
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
            if backup == "latest", !safety { return try Restoration.latest(in: store) }
            let found = try backup == "latest" ? store.latest(safety: true) : store.find(backup)
            // Often typed by taking the newest: then it would bring back in silence what somebody has just rolled back.
            guard found.manifest.kind != .safety || safety else {
                throw DeploymentError(
                    .configuration,
                    "the backup \(found.manifest.id) is what a rollback put aside, so it holds the release that was rolled back: to bring that back add --safety; the others are listed by 'fracas backups'"
                )
            }
            return Restoration(of: found, in: store)
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
        return Standing(operation: operation).report(
            text, hash: newest.treeHash, side: "as before the rollback", backup: newest.id)
    }
}
