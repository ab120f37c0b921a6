import Foundation
import Glibc
import Platform

/// The change itself, the same for a deployment and a rollback: backup, staging, stop, exchange, install, tests, start, health,
/// acceptance; and on any failure the way back, verified.
struct ReleaseChange {
    /// What is to be done.
    struct Plan {
        var units: [String]
        /// What lies where in the new tree, later ones over earlier ones; nil stands for the tree as it is.
        var layers: [(root: String, entries: [Entry])?]
        var backup: Manifest.Kind
        var absent: [String]
        var release: String
        /// What was signed for the release; nil where no signature is asked for.
        var signed: SignedRelease?
        /// A backup that must not be removed meanwhile.
        var restored: String?
        var testing: Bool
        var validationTimeout: String
        /// Whether the service's processes are killed without being asked.
        var emergency = false
    }

    let operation: Operation
    private var tree: DeploymentTree { operation.tree }
    private var change: TreeChange { TreeChange(tree: operation.tree) }
    private var store: BackupStore { BackupStore(tree: operation.tree) }

    /// What came of it.
    struct Outcome {
        var journal: Journal
        /// Why it failed; nil when it did not.
        var failure: DeploymentError?
        var side: TreeChange.Side?
        /// The hash over the units now; nil when it could not be read.
        var hash: String?
    }

    /// Does it. What fails after the journal was begun is undone before this returns.
    /// - Throws: `DeploymentError` when not even the journal could be begun: then nothing was changed.
    func run(_ plan: Plan) throws(DeploymentError) -> Outcome {
        var journal = Journal(operation: operation.name, id: operation.id)
        journal.release = plan.release
        journal.manager = operation.manager.name
        // What a recovery could not give back yet is this change's to give.
        journal.serviceRan = try operation.manager.state().isWanted || operation.owed?.serviceRan == true
        if operation.owed?.hasInstalled == true { journal.hasInstalled = true }
        if let restored = plan.restored { journal.backups = [restored] }
        do {
            try operation.step("begin the journal") { () throws(DeploymentError) in
                try journal.begin(tree, units: plan.units)
            }
            try prepare(plan, &journal)
            try exchange(plan, &journal)
            try prove(plan, &journal)
            journal.phase = .accepted
            let accepted = journal
            try operation.step("accept the new release") { () throws(DeploymentError) in try accepted.save(tree) }
        } catch { return undone(journal, plan.units, error) }
        return settled(journal)
    }

    private func prepare(_ plan: Plan, _ journal: inout Journal) throws(DeploymentError) {
        let entries = try operation.step("read the tree", { "\($0.count) entries" }) { () throws(DeploymentError) in
            try Scan.entries(of: tree.root, units: plan.units)
        }
        journal.before = Scan.treeHash(entries)
        let backup = try operation.step("make a backup", store.told) {
            () throws(DeploymentError) in
            try store.make(plan.backup, units: plan.units, entries: entries, absent: plan.absent)
        }
        journal.backups.append(backup.manifest.id)
        let layers = plan.layers.map { $0 ?? (root: tree.root, entries: entries) }
        let staged = try operation.step(
            "stage the new release beside the tree",
            { (staged: ([Journal.Unit], [Entry])) in "\(staged.1.count) entries" }
        ) { () throws(DeploymentError) in
            try change.stage(plan.units, layers)
        }
        if let signed = plan.signed {
            try operation.step("compare what is staged with what was signed") { () throws(DeploymentError) in
                try signed.require(staged: tree.staging, plan.units, tree)
            }
        }
        journal.units = staged.0
        journal.after = Scan.treeHash(staged.1)
        var ready = journal
        ready.phase = .staged
        try operation.step("write down that everything is staged") { [ready] () throws(DeploymentError) in
            try ready.save(tree)
        }
        // Until that is on the disk nobody has asked the service to stop.
        journal = ready
    }

    private func exchange(_ plan: Plan, _ journal: inout Journal) throws(DeploymentError) {
        let (manager, configuration, units) = (operation.manager, tree.configuration, journal.units)
        try operation.step("stop the service") { () throws(DeploymentError) in
            if plan.emergency {
                try manager.kill()
            } else {
                try manager.stop(
                    deadline: operation.until("SERVICE_STOP_TIMEOUT"), force: configuration.flag("FORCE_STOP"))
            }
            let left = try manager.state()
            guard !left.isRunning, left.processes.isEmpty else {
                throw DeploymentError(
                    .service, "processes \(left.processes) of the service are still there after it was stopped")
            }
            let ended = try PortGuard(tree: tree, manager: manager).clear(
                deadline: operation.until("SERVICE_STOP_TIMEOUT"),
                force: plan.emergency || configuration.flag("FORCE_STOP"), isStopped: operation.caller.isStopped)
            if let ended { operation.log.step(ended) }
        }
        let before = journal.before
        _ = try operation.step("see that nothing has changed meanwhile", { $0 }) { () throws(DeploymentError) in
            let now = try change.hash(plan.units)
            guard now == before else {
                throw DeploymentError(
                    .environment, "the tree was changed by something else while the release was staged: deploy again")
            }
            return now
        }
        try operation.step("exchange the old release for the new one") { () throws(DeploymentError) in
            try change.move(units, to: .after)
        }
    }

    private func prove(_ plan: Plan, _ journal: inout Journal) throws(DeploymentError) {
        let configuration = tree.configuration
        let since = Processes.now()
        if !configuration.words("INSTALL_COMMAND").isEmpty {
            journal.hasInstalled = true
            let begun = journal
            try operation.step("write down that it is installed") { () throws(DeploymentError) in try begun.save(tree) }
        }
        try command("install", "INSTALL_COMMAND", operation.until("DEPLOYMENT_TIMEOUT"))
        if plan.testing {
            try command("run the tests", "TEST_COMMAND", operation.until("VALIDATION_TIMEOUT"))
        } else {
            operation.checks.append(Check("run the tests", .skipped, "not asked for"))
        }
        let staged = journal.after
        _ = try operation.step("compare the tree with what was staged", { $0 }) { () throws(DeploymentError) in
            let now = try change.hash(plan.units)
            guard now == staged else {
                throw DeploymentError(
                    .validation,
                    "the tree's hash is \(now), not \(staged) as staged: did the installation or the tests write to it?"
                )
            }
            return now
        }
        if configuration.whole("SERVICE_RESTART_DELAY") > 0 {
            operation.log.step("wait \(configuration["SERVICE_RESTART_DELAY"]) s before the service starts …")
            operation.pause(until: operation.until("SERVICE_RESTART_DELAY"))
        }
        try operation.step("start the service") { () throws(DeploymentError) in
            try PortGuard(tree: tree, manager: operation.manager).clear(
                deadline: operation.until("SERVICE_STOP_TIMEOUT"), force: true, isStopped: operation.caller.isStopped)
            try operation.manager.start()
        }
        if let lost = Supervisor.lostLog(tree) { operation.log.warn("service log", lost) }
        let health = Health(tree: tree, since: since, soak: configuration.time("HEALTH_SOAK"))
        _ = try operation.step("wait until the service is healthy", { $0 }) { () throws(DeploymentError) in
            try health.wait(
                operation.manager, deadline: operation.until("SERVICE_START_TIMEOUT"),
                isStopped: operation.caller.isStopped)
        }
        guard !configuration.flag("SKIP_VALIDATION") else { return }
        let found = Validation(operation: operation).afterChange(deadline: operation.until(plan.validationTimeout))
        operation.checks += found
        let failed = found.filter { $0.outcome == .failed }
        guard failed.isEmpty else {
            throw DeploymentError(.validation, failed.map { "\($0.name): \($0.detail)" }.joined(separator: "\n"))
        }
    }

    /// Runs a command in the tree, which finds the tree's packages and leaves no caches in it, and ends all that it left.
    static func run(
        _ words: [String], in tree: DeploymentTree, deadline: Int64, isStopped: () -> Bool = { false }
    ) throws(DeploymentError)
        -> CommandRunner.Result
    {
        // What the release brought stands there only now.
        if let fault = Trust().commandFault(words, tree, "the configuration", deep: false) {
            throw DeploymentError(.environment, fault)
        }
        let environment = [
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "\(tree.root)/src", OperationMark.variable: tree.directory,
        ]
        let result = try CommandRunner.run(
            words, in: tree.root, environment: environment, deadline: deadline, isStopped: isStopped)
        try OperationMark(tree: tree).endAll()
        return result
    }

    private func command(_ what: String, _ key: String, _ deadline: Int64) throws(DeploymentError) {
        let words = tree.configuration.words(key)
        guard !words.isEmpty else {
            operation.checks.append(Check(what, .skipped, "\(key) is empty"))
            return
        }
        let detail: (CommandRunner.Result) -> String = { (result: CommandRunner.Result) in result.says }
        _ = try operation.step("\(what): \(words.joined(separator: " "))", detail) { () throws(DeploymentError) in
            let isStopped = operation.caller.isStopped
            let result = try Self.run(words, in: tree, deadline: deadline, isStopped: isStopped)
            for line in result.output.split(whereSeparator: \.isNewline).suffix(200) {
                operation.log.detail(String(line))
            }
            if result.status == nil, isStopped() {
                throw DeploymentError(.interrupted, "interrupted while \(key) ran: '\(words.joined(separator: " "))'")
            }
            guard result.status == 0 else {
                throw DeploymentError(.validation, "\(key) '\(words.joined(separator: " "))': \(result.says)")
            }
            return result
        }
    }

    // MARK: the end

    private func settled(_ journal: Journal) -> Outcome {
        let recovery = Recovery(tree: tree, manager: operation.manager, log: operation.log)
        var outcome = Outcome(journal: journal, failure: nil, side: .after, hash: nil)
        func unsettled(_ text: String) {
            let isLeft = Journal.exists(tree)
            let error = DeploymentError(
                isLeft ? .unsettled : .service,
                "the new release is accepted, but \(text)\(isLeft ? "; the next command goes on with that" : "")")
            operation.log.step("\(error)")
            operation.checks.append(Check("settle", .failed, error.description))
            outcome.failure = error
        }
        do {
            if let trouble = try recovery.settle(journal, evenWithoutService: false).trouble {
                unsettled("its service does not run: \(trouble)")
            }
        } catch {
            // The change holds; what it put aside may still be there, and the next command removes that.
            unsettled("not all is done: \(error)")
        }
        outcome.hash = try? change.hash(journal.units.map(\.name))
        return outcome
    }

    private func undone(_ journal: Journal, _ units: [String], _ failure: DeploymentError) -> Outcome {
        operation.log.step("failed: \(failure)")
        var outcome = Outcome(journal: journal, failure: failure, side: nil, hash: nil)
        if journal.phase == .staged, !tree.configuration.flag("AUTO_ROLLBACK_ON_FAILURE") {
            operation.checks.append(
                Check("automatic rollback", .skipped, "AUTO_ROLLBACK_ON_FAILURE is false: the next command undoes it"))
            return outcome
        }
        var journal = journal
        let log = DeploymentLog.ofRollback(tree, operation.id, beside: operation.log)
        log.step("automatic rollback of the \(operation.name) of \(operation.id) …")
        // What is not accepted goes back, also when writing down that it is accepted failed half-way.
        if journal.phase == .accepted {
            journal.phase = .staged
            if (try? journal.save(tree)) == nil, (try? Journal.load(tree))?.phase == .accepted {
                return settled(journal.accepted)
            }
        }
        do {
            // A service that was asked to stop and did not has had its time.
            let patience: Int64? = failure.code == .service ? 0 : nil
            log.detail("failed before: \(failure)")
            log.detail("stop the service, put back \(units.joined(separator: ", ")), start the service that ran before")
            let recovery = Recovery(tree: tree, manager: operation.manager, log: log)
            let settled = try recovery.settle(journal, evenWithoutService: false, patience: patience)
            outcome.side = settled.side
            outcome.hash = try? change.hash(units)
            let text = "the tree is what it was before, hash \(outcome.hash ?? "")"
            operation.checks.append(Check("automatic rollback", .passed, text))
            if let trouble = settled.trouble {
                operation.checks.append(Check("service after the rollback", .failed, trouble))
                log.step("undone but for the service: \(text)")
                let isLeft = Journal.exists(tree)
                outcome.failure = DeploymentError(
                    isLeft ? .unsettled : failure.code,
                    "\(failure)\nthe tree is the old release again, but its service does not run: \(trouble)\(isLeft ? "; the next command goes on with that" : "")"
                )
            } else {
                log.step("undone: \(text)")
            }
        } catch {
            operation.checks.append(Check("automatic rollback", .failed, error.description))
            log.step("not yet rolled back: \(error)")
            outcome.failure = DeploymentError(
                .unsettled, "\(failure)\nand it could not be undone yet: \(error); the next command goes on with that")
        }
        return outcome
    }
}

extension Journal {
    fileprivate var accepted: Journal {
        var copy = self
        copy.phase = .accepted
        return copy
    }
}
