import Foundation
import Glibc
import Platform

/// How an operation talks to whoever called it.
public struct Caller: Sendable {
    /// Tells a step, as plain text of one line.
    public var say: @Sendable (String) -> Void
    /// Tells what is not as it should be and stops nothing, likewise: to standard error, say.
    public var warn: @Sendable (String) -> Void
    /// Whether it was asked to stop.
    public var isStopped: @Sendable () -> Bool
    /// Runs the multi-node check on a copy of the deployed tree: the copy, the number of trials, the deadline on the monotonic clock.
    public var checkNodes: (@Sendable (DeploymentTree, String, Int, Int64) -> Check)?

    /// A caller.
    public init(
        say: @escaping @Sendable (String) -> Void, warn: @escaping @Sendable (String) -> Void = Caller.toStandardError,
        isStopped: @escaping @Sendable () -> Bool,
        checkNodes: (@Sendable (DeploymentTree, String, Int, Int64) -> Check)? = nil
    ) {
        self.say = say
        self.warn = warn
        self.isStopped = isStopped
        self.checkNodes = checkNodes
    }

    /// Tells it on standard error, where nobody may be reading any more.
    @Sendable public static func toStandardError(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data("fracas: \(text)\n".utf8))
    }
}

/// What all operations have in common: the tree, its service, a log, a deadline, and the list of what was done. Used by one
/// thread, which it blocks: never one of the cooperative pool.
final class Operation {
    let tree: DeploymentTree
    let name: String
    let id = DeploymentTree.stamp()
    let manager: any ServiceManager
    let log: DeploymentLog
    let caller: Caller
    let began = Clock.now()
    var deadline: Int64 = .max
    var checks: [Check] = []
    /// Whether it settled what another one had left.
    var hasRecovered = false
    /// The release in the tree before it changes anything.
    var deployed: ReleaseInTree
    /// What a recovery found whose service does not run yet: the next change owes that too.
    private(set) var owed: Journal?
    /// Whether the tree's lock was this operation's: then a journal that is there when it ends is for the next one.
    private var hasBegun = false

    /// - Parameters:
    ///   - logName: the log's name before the time; nil when nothing may be written.
    ///   - testing: whether it will run the tests.
    ///   - running: whether it may run any of the tree's commands.
    init(
        _ tree: DeploymentTree, name: String, logName: String?, caller: Caller, testing: Bool = false,
        running: Bool = true
    ) throws(DeploymentError) {
        if running, let fault = Trust().programFault(tree, Trust.keys(tree, testing: testing)) {
            throw DeploymentError(.environment, fault)
        }
        self.tree = tree
        self.name = name
        self.caller = caller
        // Without backups there is no change; whatever else is written can be left out.
        if ["deploy", "rollback"].contains(name) { try tree.prepare() }
        manager = try ServiceManagers.choose(tree)
        deployed = ReleaseInTree.recorded(tree)
        let stamp = id
        log = DeploymentLog(tree, name: logName.map { "\($0)_\(stamp)" }, caller: caller)
    }

    /// Does one step that gives nothing.
    func step(_ name: String, _ body: () throws(DeploymentError) -> Void) throws(DeploymentError) {
        let _: Bool = try step(name, { (_: Bool) in "done" }) { () throws(DeploymentError) in
            try body()
            return true
        }
    }

    /// Does one step, unless the time is over or the caller has asked to stop.
    func step<Value>(
        _ name: String, _ detail: (Value) -> String,
        _ body: () throws(DeploymentError) -> Value
    ) throws(DeploymentError) -> Value {
        if caller.isStopped() { throw DeploymentError(.interrupted, "interrupted before the step '\(name)'") }
        if Clock.now() > deadline {
            throw DeploymentError(
                .interrupted,
                "the time for the whole \(self.name) was over before the step '\(name)' (\(self.name == "deploy" ? "DEPLOYMENT" : "ROLLBACK")_TIMEOUT)"
            )
        }
        log.step("\(name) …")
        do {
            let value = try body()
            let text = detail(value)
            log.detail(text)
            checks.append(Check(name, .passed, text))
            return value
        } catch {
            checks.append(Check(name, .failed, error.description))
            throw error
        }
    }

    /// Records checks; the first that failed is an error.
    func require(_ found: [Check]) throws(DeploymentError) {
        checks += found
        for check in found {
            log.detail("\(check.name): \(check.outcome.rawValue): \(check.detail)")
            // That nothing can be logged the log has said itself.
            if check.outcome == .warning, check.name != "logs" {
                caller.warn("warning: \(check.name): \(Text.plain(check.detail))")
            }
        }
        let failed = found.filter { $0.outcome == .failed }
        guard failed.isEmpty else {
            throw DeploymentError(.environment, failed.map { "\($0.name): \($0.detail)" }.joined(separator: "\n"))
        }
    }

    /// When this much time from now is over, but never after the operation's own.
    func until(_ key: String) -> Int64 { min(deadline, Clock.now() + tree.configuration.time(key)) }

    /// Waits until a time, ended early by the caller.
    func pause(until time: Int64) {
        guard let timer = try? Timer() else { return }
        while Clock.now() < time, !caller.isStopped() {
            // The caller's wish comes by a flag of its own, so it is looked at twice a second.
            timer.set(min(time, Clock.now() + 500_000_000))
            _ = Wait.forInput(timer.descriptor, until: time)
            timer.clear()
        }
    }

    /// What every change begins with: takes the tree's lock, and settles what an operation that was broken off left.
    /// - Returns: the lock, to be kept until the change is over.
    func begin(_ what: String) throws(DeploymentError) -> DeploymentLock {
        let lock = try step("take the lock of the tree", { (_: DeploymentLock) in "taken" }) {
            () throws(DeploymentError) in
            try DeploymentLock(tree, for: what)
        }
        hasBegun = true
        // Who is on the way back may use up what is kept for that.
        if name == "rollback" || Journal.exists(tree), Reserve(tree: tree).release() {
            log.step("the disk of '\(tree.directory)' is full: what was kept free there for the way back is used now")
        }
        let recovery = Recovery(tree: tree, manager: manager, log: log)
        // What its service is owed stays written down until a change has taken that over.
        let recovered = try recovery.run(evenWithoutService: false)
        (hasRecovered, deployed) = (recovered != nil, ReleaseInTree.recorded(tree))
        if let trouble = recovered?.trouble {
            log.warn("service after recovery", trouble)
            owed = try? Journal.load(tree)
        }
        Supervisor.prepare(tree)
        return lock
    }

    /// The report so far.
    func report(_ result: String, error: DeploymentError? = nil) -> OperationReport {
        var report = OperationReport(
            operation: name, id: id, tree: tree.root, result: result, error: error?.description, checks: checks,
            seconds: Double(Clock.now() - began) / 1e9, log: log.path,
            title: "\(tree.configuration["DEPLOYMENT_TYPE"]) \(tree.configuration["DEPLOYMENT_VERSION"])")
        report.checks += log.warnings
        // The exit code says by this that the next command has to go on: exactly where a journal is there for it.
        if error?.code == .unsettled || hasBegun, Journal.exists(tree) {
            report.release = "unsettled"
            report.unfinished = Unfinished.left(tree)
        }
        report.changed = hasRecovered || error?.code == .unsettled
        report.from = deployed
        report.to = deployed
        return report
    }

    /// Writes the report, removes logs that are too old, and notifies.
    func conclude(_ report: inout OperationReport, name: String) {
        for failure in report.write(tree, name: name) {
            log.warn("report", failure)
            report.checks.append(Check("report", .warning, failure))
        }
        let oldest = Int64(time(nil)) - Int64(tree.configuration.whole("LOG_RETENTION_HOURS")) * 3600
        let live = Supervisor.log(of: tree)
        for file in (try? Files.entries(tree.logs)) ?? [] {
            let path = "\(tree.logs)/\(file)"
            guard file.contains(/_\d{8}_\d{6}\.(log|md|json)$/), let status = try? FileStatus(path),
                status.kind == .file, status.modified < oldest, path != live
            else { continue }
            try? Files.remove(path)
        }
        let key = report.isGood ? "NOTIFY_ON_SUCCESS" : "NOTIFY_ON_FAILURE"
        let command = tree.configuration.words("NOTIFY_COMMAND")
        guard tree.configuration.flag(key), !command.isEmpty else { return }
        let result = try? CommandRunner.run(
            command + [report.report ?? ""], in: tree.root, deadline: Clock.now() + 30_000_000_000)
        if result?.status != 0 { log.step("NOTIFY_COMMAND: \(result?.says ?? "could not be started")") }
    }
}
