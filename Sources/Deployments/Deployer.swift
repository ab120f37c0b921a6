import Foundation
import Glibc
import Platform

/// Deploying a release over a tree.
public struct Deployer: Sendable {
    /// What an operator asks for.
    public struct Options: Sendable {
        /// The release's directory; nil for RELEASE_DIR.
        public var release: String?
        /// Whether only a backup is made.
        public var backupOnly: Bool
        /// Whether the tests are left out.
        public var skipTests: Bool
        /// Whether only the plan is said.
        public var dryRun: Bool

        /// What an operator asks for.
        public init(release: String?, backupOnly: Bool, skipTests: Bool, dryRun: Bool) {
            self.release = release
            self.backupOnly = backupOnly
            self.skipTests = skipTests
            self.dryRun = dryRun
        }
    }

    private let tree: DeploymentTree
    private let options: Options
    private let caller: Caller

    /// A deployment.
    public init(_ tree: DeploymentTree, _ options: Options, caller: Caller) {
        self.tree = tree
        self.options = options
        self.caller = caller
    }

    /// Does it. Blocks the calling thread.
    /// - Returns: the report, also of a deployment that failed and was rolled back.
    /// - Throws: `DeploymentError` when it could not begin: then nothing was changed.
    public func run() throws(DeploymentError) -> OperationReport {
        if options.dryRun || tree.configuration.flag("DRY_RUN") { return try plan() }
        let operation = try Operation(tree, name: "deploy", logName: "deploy", caller: caller)
        operation.deadline = Clock.now() + tree.configuration.time("DEPLOYMENT_TIMEOUT")
        var report = attempt(operation)
        operation.conclude(&report, name: "deployment_report")
        return report
    }

    private func attempt(_ operation: Operation) -> OperationReport {
        do {
            let lock = try operation.step("take the lock of the tree", { (_: DeploymentLock) in "taken" }) {
                () throws(DeploymentError) in
                try DeploymentLock(tree, for: "a deployment")
            }
            defer { withExtendedLifetime(lock) {} }
            let recovery = Recovery(tree: tree, manager: operation.manager, log: operation.log)
            if let trouble = try recovery.run(evenWithoutService: true)?.trouble {
                operation.checks.append(Check("service after recovery", .warning, trouble))
            }
            let preflight = Preflight(tree: tree, manager: operation.manager)
            try operation.require(preflight.run(release: options.backupOnly ? nil : release))
            let (units, entries, absent) = try inventory()
            if options.backupOnly { return try backup(operation, units, absent) }
            let outcome = try ReleaseChange(operation: operation).run(
                ReleaseChange.Plan(
                    units: units, layers: [nil, (root: release, entries: entries)], backup: .deployment, absent: absent,
                    release: release, testing: !skipsTests, validationTimeout: "VALIDATION_TIMEOUT"))
            retain(operation, outcome)
            return Self.report(operation, outcome)
        } catch {
            operation.log.step("failed: \(error)")
            return operation.report("failed", error: error)
        }
    }

    static func report(_ operation: Operation, _ outcome: ReleaseChange.Outcome) -> OperationReport {
        var report = operation.report(outcome.failure == nil ? "succeeded" : "failed", error: outcome.failure)
        report.backup = outcome.journal.backups.first
        report.hashBefore = outcome.journal.before.isEmpty ? nil : outcome.journal.before
        report.hashAfter = outcome.hash
        report.release = outcome.side.map { $0 == .after ? "new" : "old" } ?? "unsettled"
        return report
    }

    private var skipsTests: Bool { options.skipTests || tree.configuration.flag("SKIP_TESTS") }
    private var release: String {
        options.release.map { URL(fileURLWithPath: $0).standardizedFileURL.path } ?? tree.configuration.path(
            "RELEASE_DIR") ?? ""
    }

    /// What the release replaces and adds: the names at its top, its entries as they will be in the tree, and the paths that are
    /// not there yet.
    private func inventory() throws(DeploymentError) -> (units: [String], entries: [Entry], absent: [String]) {
        let units: [String]
        let owner: FileStatus?
        do {
            units = try Scan.names(in: release)
            owner = try FileStatus(tree.root)
        } catch { throw DeploymentError(.environment, "read the release '\(release)': \(error)") }
        let present = try Scan.entries(of: tree.root, units: units)
        let known = Dictionary(present.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        let entries = try Scan.entries(of: release, units: units).map { entry in
            // A release brings content and whether a file is a program. Whose the files are, and who may see a directory that
            // there is already, is the tree's business.
            var entry = entry
            let there = known[entry.path]
            entry.user = there?.user ?? owner?.user ?? entry.user
            entry.group = there?.group ?? owner?.group ?? entry.group
            if entry.kind == .directory, let there, there.kind == .directory { entry.mode = there.mode }
            return entry
        }
        return (units, entries, entries.map(\.path).filter { known[$0] == nil })
    }

    private func backup(_ operation: Operation, _ units: [String], _ absent: [String]) throws(DeploymentError)
        -> OperationReport
    {
        let entries = try Scan.entries(of: tree.root, units: units)
        let backup = try operation.step("make a backup", { (backup: Backup) in backup.path }) {
            () throws(DeploymentError) in
            try BackupStore(tree: tree).make(.manual, units: units, entries: entries, absent: absent)
        }
        var report = operation.report("succeeded")
        report.backup = backup.manifest.id
        report.hashBefore = backup.manifest.treeHash
        report.hashAfter = try Scan.treeHash(Scan.entries(of: tree.root, units: units))
        report.release = "old"
        return report
    }

    private func retain(_ operation: Operation, _ outcome: ReleaseChange.Outcome) {
        // Only once all is settled, and never what an unfinished operation may need.
        guard outcome.side != nil else { return }
        do {
            guard try Journal.load(tree) == nil else { return }
            let removed = try BackupStore(tree: tree).retain(inUse: Set(outcome.journal.backups))
            if !removed.isEmpty { operation.log.step("removed old backups: \(removed.joined(separator: ", "))") }
        } catch { operation.checks.append(Check("backup retention", .warning, error.description)) }
    }

    // MARK: dry run

    /// Says exactly what would be done, and writes nothing at all.
    private func plan() throws(DeploymentError) -> OperationReport {
        let operation = try Operation(tree, name: "deploy", logName: nil, caller: caller)
        let preflight = Preflight(tree: tree, manager: operation.manager)
        operation.checks = preflight.run(release: release, writing: false)
        var lines: [String] = []
        if let journal = try Journal.load(tree) {
            lines.append(
                "\(journal.phase == .accepted ? "complete" : "undo") the unfinished \(journal.operation) of \(journal.id) first"
            )
        }
        let failed = operation.checks.filter { $0.outcome == .failed }
        guard failed.isEmpty else {
            throw DeploymentError(
                .environment,
                (["a deployment would fail now, before it changes anything:"]
                    + failed.map { "\($0.name): \($0.detail)" })
                    .joined(separator: "\n"))
        }
        let (units, entries, absent) = try inventory()
        let present = try Scan.entries(of: tree.root, units: units)
        let known = Dictionary(present.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        let names = units.joined(separator: ", ")
        lines.append("back up \(names) (\(present.count) entries) to \(tree.backups)/<time>")
        if !options.backupOnly {
            lines += steps(names: names, operation)
            let added = Set(absent)
            for entry in entries {
                if added.contains(entry.path) {
                    lines.append(
                        "add \(entry.path) (\(entry.kind.rawValue), \(String(entry.mode, radix: 8)), \(entry.size) bytes)"
                    )
                } else if let there = known[entry.path], there.sha256 != entry.sha256 || there.mode != entry.mode {
                    lines.append("change \(entry.path) (\(there.size) to \(entry.size) bytes)")
                }
            }
        }
        for line in lines { caller.say(Text.plain("would \(line)")) }
        var report = operation.report("planned")
        report.plan = lines
        report.hashBefore = Scan.treeHash(present)
        report.hashAfter = report.hashBefore
        report.release = "old"
        return report
    }

    private func steps(names: String, _ operation: Operation) -> [String] {
        let configuration = tree.configuration
        var lines = [
            "stage \(names) with \(release) laid over it in \(tree.staging)",
            "stop the service by \(operation.manager.name), within \(configuration["SERVICE_STOP_TIMEOUT"]) s",
            "exchange \(names) for what was staged",
        ]
        for (key, isOn) in [("INSTALL_COMMAND", true), ("TEST_COMMAND", !skipsTests)] where isOn {
            let words = configuration.words(key)
            if !words.isEmpty { lines.append("run \(words.joined(separator: " "))") }
        }
        return lines + [
            "start the service and ask http://127.0.0.1:\(configuration["API_PORT"])\(configuration["HEALTH_ENDPOINT"]) for its health"
        ]
    }
}
