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
        // Told once already, and by the doctor.
        for text in Leavings.retry(in: tree.directory) + Leavings.retry(in: tree.backups) { log.detail(text) }
        let found: Journal?
        do { found = try Journal.load(tree) } catch { throw DeploymentError(.unsettled, error.description) }
        guard let journal = found else {
            sweep()
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
        let isLeft = outcome.trouble != nil && !evenWithoutService
        log.step(
            "the \(journal.operation) of \(journal.id) is \(outcome.side == .after ? "completed" : "undone")\(isLeft ? " but for its service" : ""): the tree is wholly the \(outcome.side == .after ? "new" : "old") release"
        )
        return outcome
    }

    /// Without a journal there is nothing of worth beside the tree. What cannot be removed nor put aside is told: where it is in the way
    /// of a change, that finds it before anything is touched.
    private func sweep() {
        do {
            try discard()
            let names: [String]
            do { names = try Files.entries(tree.directory) } catch {
                throw DeploymentError(.files, "remove leftovers in '\(tree.directory)': \(error)")
            }
            for name in names where name.hasPrefix(".exchange-") || (name.hasPrefix(".") && name.hasSuffix(".new")) {
                try Leavings.remove("\(tree.directory)/\(name)").map(tell)
            }
            for text in try BackupStore(tree: tree).clean() { tell(text) }
        } catch { tell("\(error)") }
    }

    /// Removes what is beside the tree, or puts it aside.
    private func discard() throws(DeploymentError) { try Leavings.remove(tree.staging).map(tell) }

    private func tell(_ leaving: String) { log.warn("left behind", leaving) }

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
        let side: TreeChange.Side = journal.phase == .accepted ? .after : .before
        let isOwed = journal.serviceRan || (journal.phase == .accepted && journal.operation != "backup")
        var trouble: String?
        let doubt: DeploymentError?
        do { doubt = try bring(journal, to: side, patience: patience, trouble: &trouble) } catch {
            throw isOwed ? served(despite: error, journal) : error
        }
        if isOwed { trouble = serve() ?? trouble }
        if let trouble {
            log.step("not all is well: \(trouble)")
            // Whom the port belongs to now is not for the next command to settle either: the tree is back, and that is all of ours.
            let isKept = PortGuard(tree: tree, manager: manager).stranger() == nil
            if !evenWithoutService, isKept { return Outcome(side: side, trouble: trouble) }
        }
        // Only now: whatever the tree is, its service serves meanwhile.
        if let doubt { throw doubt }
        try Journal.remove(tree)
        sweep()
        return Outcome(side: side, trouble: trouble)
    }

    /// What could not be settled, after the service was started all the same: whoever waits for it has nothing from a tree that waits
    /// for an operator. Only a tree that is neither release is not started.
    private func served(despite error: DeploymentError, _ journal: Journal) -> DeploymentError {
        let change = TreeChange(tree: tree)
        let sides = journal.units.filter { $0.before != $0.after }.map { try? change.side(of: $0) }
        let isWhole = !sides.contains(nil) && Set(sides.map { $0 == .after }).count < 2
        guard isWhole else {
            return DeploymentError(
                error.code, "\(error)\nand the service is not started on a tree that is neither release")
        }
        let release = sides.first == .after ? "new" : "old"
        guard let trouble = serve() else {
            return DeploymentError(error.code, "\(error)\nmeanwhile the service serves, with the \(release) release")
        }
        return DeploymentError(error.code, "\(error)\nand the \(release) release's service does not run: \(trouble)")
    }

    /// Brings the tree, and what is installed, to one side, and removes what is beside it: first of all that makes room, where the
    /// disk is full, for the service's start.
    /// - Returns: why the tree may not be what it was; then nothing was removed.
    private func bring(
        _ journal: Journal, to side: TreeChange.Side, patience: Int64?, trouble: inout String?
    ) throws(DeploymentError) -> DeploymentError? {
        let change = TreeChange(tree: tree)
        switch journal.phase {
        case .preparing:
            try discard()
            // What an earlier recovery owed.
            if journal.hasInstalled == true { trouble = reinstall() }
        case .staged:
            try halt(journal, patience)
            let hasBegun = try change.hasBegun(journal.units)
            try change.move(journal.units, to: .before)
            // Where nothing was exchanged the tree is not ours to judge: a service may have written to it while it stopped.
            let doubt = hasBegun ? compare(change, journal) : nil
            if doubt == nil { try discard() }
            // A recovery that was broken off has exchanged everything back, and may not have come to this.
            if journal.hasInstalled ?? hasBegun { trouble = reinstall() }
            return doubt
        case .accepted:
            try change.move(journal.units, to: .after)
            try discard()
            // A record for people only: the change is complete without it.
            do { try DeployedState(journal).save(tree) } catch { log.warn("record", "not written down: \(error)") }
        }
        return nil
    }

    /// Ends what the operation's commands started, and the service.
    private func halt(_ journal: Journal, _ patience: Int64?) throws(DeploymentError) {
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
                if let lost = Supervisor.lostLog(tree) { log.warn("service log", lost) }
            }
            let time = tree.configuration.time("SERVICE_START_TIMEOUT")
            try Health(tree: tree).wait(manager, deadline: Clock.now() + time, isStopped: { false })
            return nil
        } catch { return error.description }
    }
}
