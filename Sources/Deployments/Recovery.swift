import Foundation
import Glibc
import Platform

/// Settling what an operation that was broken off left: before the new tree was accepted everything goes back, afterwards
/// everything is completed. Called at the beginning of every later command, and by a failing operation itself; it can be broken
/// off anywhere and called again, and comes to the same end.
struct Recovery {
    let tree: DeploymentTree
    let manager: any ServiceManager
    let log: DeploymentLog

    /// What came of it.
    struct Outcome {
        /// Which release the tree shows.
        var side: TreeChange.Side
        /// Why the service does not run although it should; nil when it does, or need not.
        var trouble: String?
    }

    /// Whether anything is there that an operation which was broken off may have left.
    static func isNeeded(_ tree: DeploymentTree) -> Bool {
        let names = ([tree.directory] + BackupStore(tree: tree).homes).flatMap { (try? Files.entries($0)) ?? [] }
        return names.contains { name in
            name == ".journal" || name == ".staging" || name.hasPrefix(".exchange-") || BackupStore.isLeftover(name)
                || (name.hasPrefix(".") && name.hasSuffix(".new"))
        }
    }

    /// Settles an unfinished operation, if there is one.
    /// - Parameter evenWithoutService: whether the operation counts as settled although its service does not come up again: for
    ///   callers that are going to start the service themselves.
    /// - Throws: `DeploymentError` `.unsettled` when there is one that could not be settled.
    func run(evenWithoutService: Bool) throws(DeploymentError) -> Outcome? {
        let found: Journal?
        do { found = try Journal.load(tree) } catch { throw DeploymentError(.unsettled, error.description) }
        guard let journal = found else {
            try sweep()
            return nil
        }
        // Who looks for what was rolled back finds it under one name, whichever command did it.
        let isWayBack = journal.operation == "deploy" && journal.phase != .accepted
        let log = isWayBack ? DeploymentLog.ofRollback(tree, DeploymentTree.stamp(), beside: self.log) : self.log
        log.step(
            "an unfinished \(journal.operation) of \(journal.id) is found, in its phase '\(journal.phase.rawValue)'")
        let outcome: Outcome
        do {
            outcome = try Recovery(tree: tree, manager: manager, log: log).settle(
                journal, evenWithoutService: evenWithoutService)
        } catch {
            throw DeploymentError(
                .unsettled,
                "the unfinished \(journal.operation) of \(journal.id) could not be settled: \(error)\nmend that, then run any deploy, rollback, validate or backups: it goes on from there"
            )
        }
        log.step(
            "the \(journal.operation) of \(journal.id) is \(outcome.side == .after ? "completed" : "undone"): the tree is wholly the \(outcome.side == .after ? "new" : "old") release"
        )
        return outcome
    }

    /// Without a journal there is nothing of worth beside the tree.
    private func sweep() throws(DeploymentError) {
        try TreeChange(tree: tree).discard()
        do {
            for name in try Files.entries(tree.directory)
            where name.hasPrefix(".exchange-") || (name.hasPrefix(".") && name.hasSuffix(".new")) {
                try Files.removeTree("\(tree.directory)/\(name)")
            }
        } catch { throw DeploymentError(.files, "remove leftovers in '\(tree.directory)': \(error)") }
        try BackupStore(tree: tree).clean()
    }

    /// Undoes or completes one operation.
    /// - Parameter patience: nanoseconds the service has to stop before it is killed; nil for SERVICE_STOP_TIMEOUT.
    func settle(
        _ journal: Journal, evenWithoutService: Bool, patience: Int64? = nil
    ) throws(DeploymentError) -> Outcome {
        // Another manager would not see the service that the first one started.
        if let first = journal.manager, first != manager.name {
            throw DeploymentError(
                .unsettled,
                "the unfinished \(journal.operation) of \(journal.id) has its service under \(first), not \(manager.name): set SERVICE_MANAGER as it was (\(tree.configuration.source(of: "SERVICE_MANAGER"))), then call this again"
            )
        }
        let change = TreeChange(tree: tree)
        var side = TreeChange.Side.before
        var trouble: String?
        var doubt: DeploymentError?
        switch journal.phase {
        case .preparing: break
        case .staged:
            // What the operation's commands started may outlive them and it: it must not write to the tree that comes back.
            let ended = try OperationMark(tree: tree).endAll()
            if ended > 0 { log.detail("ended \(ended) processes that the commands of the \(journal.operation) left") }
            // The service may have been asked to stop and be about to, or run the new release: either way it starts anew.
            // The tree is exchanged only while nothing of the service runs.
            let time = patience ?? tree.configuration.time("SERVICE_STOP_TIMEOUT")
            try manager.stop(deadline: Clock.now() + time, force: true)
            let left = try manager.state()
            guard !left.isRunning, left.processes.isEmpty else {
                throw DeploymentError(
                    .service,
                    "processes \(left.processes) of the service are still there after it was stopped: end them, then call this again"
                )
            }
            // What it left at its port is of the release that goes. Who else is there does not hinder the way back.
            let port = PortGuard(tree: tree, manager: manager)
            if port.stranger() == nil {
                let ended = try port.clear(deadline: Clock.now() + time, force: true)
                if let ended { log.detail(ended) }
            }
            let hasBegun = try change.hasBegun(journal.units)
            try change.move(journal.units, to: .before)
            // Where nothing was exchanged the tree is not ours to judge: a service may have written to it while it stopped.
            if hasBegun { doubt = compare(change, journal) }
            // A recovery that was broken off has exchanged everything back, and may not have come to this.
            if journal.hasInstalled ?? hasBegun { trouble = reinstall() }
        case .accepted:
            side = .after
            try change.move(journal.units, to: .after)
            // A record for people only: the change is complete without it.
            do { try DeployedState(journal).save(tree) } catch { log.step("not written down: \(error)") }
        }
        if journal.serviceRan || (journal.phase == .accepted && journal.operation != "backup") {
            trouble = serve() ?? trouble
        }
        if let trouble {
            log.step("not all is well: \(trouble)")
            // Whom the port belongs to now is not for the next command to settle either: the tree is back, and that is all of ours.
            let isKept = PortGuard(tree: tree, manager: manager).stranger() == nil
            if !evenWithoutService, isKept { return Outcome(side: side, trouble: trouble) }
        }
        // Only now: whatever the tree is, its service serves meanwhile.
        if let doubt { throw doubt }
        try change.discard()
        try Journal.remove(tree)
        try sweep()
        return Outcome(side: side, trouble: trouble)
    }

    /// Whether what was exchanged back is what it was.
    private func compare(_ change: TreeChange, _ journal: Journal) -> DeploymentError? {
        do {
            let found = try change.hash(journal.units.map(\.name))
            if found == journal.before { return nil }
            return DeploymentError(
                .unsettled,
                "the tree '\(tree.root)' does not have the hash \(journal.before) that it had before the \(journal.operation) of \(journal.id), but \(found): something else changed it; compare it with the backup \(journal.backups.last ?? "")"
            )
        } catch { return error }
    }

    /// What the new release installed beside the tree is replaced by what the old one installs.
    /// - Returns: why that failed; nil when it did not, or there is nothing to install.
    private func reinstall() -> String? {
        let words = tree.configuration.words("INSTALL_COMMAND")
        guard !words.isEmpty else { return nil }
        log.detail("install the old release again: \(words.joined(separator: " "))")
        do {
            let result = try ReleaseChange.run(
                words, in: tree, deadline: Clock.now() + tree.configuration.time("DEPLOYMENT_TIMEOUT"))
            return result.status == 0 ? nil : "INSTALL_COMMAND for the old release: \(result.says)"
        } catch { return error.description }
    }

    /// Sees to it that the service serves.
    /// - Returns: why it does not; nil when it does.
    private func serve() -> String? {
        do {
            if try !manager.state().isRunning {
                log.detail("starting the service")
                try manager.start()
            }
            let time = tree.configuration.time("SERVICE_START_TIMEOUT")
            try Health(tree: tree).wait(manager, deadline: Clock.now() + time, isStopped: { false })
            return nil
        } catch { return error.description }
    }
}

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
