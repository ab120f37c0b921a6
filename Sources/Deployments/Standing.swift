import Platform

/// Whether what is asked for is there already, so that nothing is to be done: a command that is repeated, as those who keep many hosts
/// do it, stops no service.
struct Standing {
    let operation: Operation
    private var tree: DeploymentTree { operation.tree }

    /// Whether a hash is that of what was deployed or gone back to last, and the service runs and is healthy. A tree that somebody
    /// brought to the same content by hand may have a service of the old one, and nothing installed.
    func holds(_ hash: String) -> Bool {
        guard DeployedState.load(tree)?.treeHash == hash, let state = try? operation.manager.state(), state.isRunning
        else { return false }
        return Health(tree: tree).ask() == nil
    }

    /// Whether a release laid over a tree gives what is there.
    static func isPresent(_ entries: [Entry], in present: [Entry]) -> Bool {
        guard let merged = try? TreeChange.merge([present, entries]) else { return false }
        return Scan.treeHash(merged) == Scan.treeHash(present)
    }

    /// The report that nothing was done.
    func report(_ text: String, hash: String, side: String, backup: String?) -> OperationReport {
        operation.log.step(text)
        operation.checks.append(Check("change", .skipped, text))
        var report = operation.report("succeeded")
        report.isUnchanged = true
        report.hashBefore = hash
        report.hashAfter = hash
        report.release = report.release ?? side
        report.backup = backup
        report.from?.hash = hash
        report.to = report.from
        return report
    }
}
