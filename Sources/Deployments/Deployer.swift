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
        /// Whether it is done although the release is there already and serves.
        public var force: Bool

        /// What an operator asks for.
        public init(release: String?, backupOnly: Bool, skipTests: Bool, dryRun: Bool, force: Bool = false) {
            self.release = release
            self.backupOnly = backupOnly
            self.skipTests = skipTests
            self.dryRun = dryRun
            self.force = force
        }
    }

    let tree: DeploymentTree
    let options: Options
    let caller: Caller

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
        let operation = try Operation(tree, name: "deploy", logName: "deploy", caller: caller, testing: isTesting)
        operation.deadline = Clock.now() + tree.configuration.time("DEPLOYMENT_TIMEOUT")
        var report = attempt(operation)
        operation.conclude(&report, name: "deployment_report")
        return report
    }

    private func attempt(_ operation: Operation) -> OperationReport {
        do {
            let lock = try operation.begin("a deployment")
            defer { withExtendedLifetime(lock) {} }
            Looks.begin(tree.root)
            let preflight = Preflight(tree: tree, manager: operation.manager)
            try operation.require(preflight.run(options.backupOnly ? .backup(release) : .change(release)))
            if options.backupOnly { return try backup(operation) }
            let (units, entries, absent, present) = try inventory()
            let signed = try verifySignature(operation, entries, absent)
            if let report = unchanged(operation, entries, present) { return report }
            try Attributes.require(present + entries, in: tree)
            let outcome = try ReleaseChange(operation: operation).run(
                ReleaseChange.Plan(
                    units: units, layers: [nil, (root: release, entries: entries)], backup: .deployment, absent: absent,
                    release: release, signed: signed, testing: !skipsTests, validationTimeout: "VALIDATION_TIMEOUT"))
            retain(operation, outcome)
            if outcome.failure == nil { Reserve(tree: tree).fill(like: outcome.journal.backups.first) }
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
        // Where a journal is left the report says so already.
        report.release = report.release ?? outcome.side.map { $0 == .after ? "new" : "old" } ?? "unknown"
        report.changed = outcome.side != .before || operation.hasRecovered
        report.from?.hash = report.hashBefore
        report.to =
            outcome.side == .before
            ? report.from
            : ReleaseInTree(release: outcome.side == nil ? nil : outcome.journal.release, hash: outcome.hash)
        return report
    }

    /// The report of a deployment of what is there already; nil when there is something to do.
    private func unchanged(_ operation: Operation, _ entries: [Entry], _ present: [Entry]) -> OperationReport? {
        let hash = Scan.treeHash(present)
        let standing = Standing(operation: operation)
        guard !options.force, Standing.isPresent(entries, in: present), standing.holds(hash) else { return nil }
        return standing.report(
            "nothing is to be done: the release '\(release)' is in the tree already and serves; --force deploys it all the same",
            hash: hash, side: "new", backup: nil)
    }

    var isTesting: Bool { !skipsTests && !options.backupOnly }
    var skipsTests: Bool { options.skipTests || tree.configuration.flag("SKIP_TESTS") }
    var release: String {
        options.release.map { URL(fileURLWithPath: $0).standardizedFileURL.path } ?? tree.configuration.path(
            "RELEASE_DIR") ?? ""
    }

    /// What the release replaces and adds: the names at its top, its entries as they will be in the tree, the paths that are not
    /// there yet, and what is there now.
    func inventory() throws(DeploymentError) -> (
        units: [String], entries: [Entry], absent: [String], present: [Entry]
    ) {
        let units: [String]
        let owner: FileStatus?
        do {
            units = try Scan.names(in: release)
            owner = try FileStatus(tree.root)
        } catch { throw DeploymentError(.environment, "read the release '\(release)': \(error)") }
        let present = try Scan.entries(of: tree.root, units: units)
        let known = Dictionary(present.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        let entries = try Scan.entries(of: release, units: units, in: .below(tree.root)).map { entry in
            // A release brings content and whether a file is a program. Whose the files are, and who may see a directory that
            // there is already, is the tree's business.
            var entry = entry
            let there = known[entry.path]
            entry.user = there?.user ?? owner?.user ?? entry.user
            entry.group = there?.group ?? owner?.group ?? entry.group
            if entry.kind == .directory, let there, there.kind == .directory { entry.mode = there.mode }
            if let there { Attributes.adopt(there, by: &entry) }
            return entry
        }
        return (units, entries, entries.map(\.path).filter { known[$0] == nil }, present)
    }

    /// Whether there is a release to take a backup for. A backup is often wanted before there is a fix: then it is of the whole tree.
    private func hasRelease() throws(DeploymentError) -> Bool {
        if options.release != nil { return true }
        guard !release.isEmpty else { return false }
        do { return try FileStatus(release) != nil && !Scan.names(in: release).isEmpty } catch {
            throw DeploymentError(.environment, "read the release '\(release)': \(error)")
        }
    }

    /// Every name at the top of the tree that a release could bring: not the machine's own, nor links, which cannot be exchanged.
    private func allUnits() throws(DeploymentError) -> [String] {
        let own = [tree.backups, tree.logs, release]
        var units: [String] = []
        for name in try Scan.names(in: tree.root) where !DeploymentTree.reserved.contains(name) {
            let path = "\(tree.root)/\(name)"
            if own.contains(where: { $0 == path || $0.hasPrefix(path + "/") }) { continue }
            do {
                if try FileStatus(path)?.kind != .link { units.append(name) }
            } catch { throw DeploymentError(.files, "look at '\(path)': \(error)") }
        }
        guard !units.isEmpty else {
            throw DeploymentError(.environment, "'\(tree.root)' has nothing to back up: is it the right tree?")
        }
        return units
    }

    /// What a backup alone is of: what a deployment would change, or where there is no release yet, everything.
    func backupInventory() throws(DeploymentError) -> (units: [String], absent: [String]) {
        guard try hasRelease() else { return (try allUnits(), []) }
        let found = try inventory()
        return (found.units, found.absent)
    }

    private func backup(_ operation: Operation) throws(DeploymentError) -> OperationReport {
        let (units, absent) = try operation.step("choose what to back up", { $0.units.joined(separator: ", ") }) {
            () throws(DeploymentError) in try backupInventory()
        }
        let entries = try Scan.entries(of: tree.root, units: units)
        let store = BackupStore(tree: tree)
        let backup = try operation.step("make a backup", store.told) { () throws(DeploymentError) in
            try store.make(.manual, units: units, entries: entries, absent: absent)
        }
        var report = operation.report("succeeded")
        report.backup = backup.manifest.id
        report.hashBefore = backup.manifest.treeHash
        report.hashAfter = try Scan.treeHash(Scan.entries(of: tree.root, units: units))
        report.release = report.release ?? "old"
        report.changed = true
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
}
