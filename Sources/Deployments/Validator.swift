import Foundation
import Glibc
import Platform

/// `validate`: once, continuously, or the last results again.
public struct Validator: Sendable {
    private let tree: DeploymentTree
    private let since: Int64
    private let caller: Caller

    /// A validation.
    /// - Parameter since: seconds before now from which on messages count.
    public init(_ tree: DeploymentTree, since: Int64, caller: Caller) {
        self.tree = tree
        self.since = since
        self.caller = caller
    }

    /// Looks once. Blocks the calling thread.
    public func run() throws(DeploymentError) -> OperationReport { try look().report }

    private func look() throws(DeploymentError) -> (report: OperationReport, ending: ValidationWatch.Ending) {
        let operation = try Operation(tree, name: "validate", logName: "validation", caller: caller)
        let isUnsettled = recover(operation)
        let timeout = Clock.now() + tree.configuration.time("VALIDATION_TIMEOUT")
        let history = samples()
        let steps = Validation(operation: operation).steps(
            since: Int64(time(nil)) - since, history: history, deadline: timeout)
        let (checks, ending) = ValidationWatch(steps.map(\.name)).run(
            steps, deadline: timeout, isStopped: caller.isStopped)
        operation.checks += checks
        for check in operation.checks {
            operation.log.step("\(check.name): \(check.outcome.rawValue): \(check.detail)")
        }
        let isHealthy = !operation.checks.contains { $0.outcome == .failed }
        var report = operation.report(isHealthy ? "healthy" : "unhealthy")
        if !isHealthy {
            report.error = operation.checks.filter { $0.outcome == .failed }.map { "\($0.name): \($0.detail)" }
                .joined(separator: "\n")
        }
        if isUnsettled { report.release = "unsettled" }
        operation.conclude(&report, name: "validation_report")
        // Where the time was over there is none to ask again.
        if ending == .finished { remember(operation, history) }
        return (report, ending)
    }

    /// Looks again and again, VALIDATION_INTERVAL seconds apart, until the caller asks for the end.
    /// - Returns: the last report; it is good only when all were.
    public func runContinuously(_ each: (OperationReport) -> Void) throws(DeploymentError) -> OperationReport {
        var worst: OperationReport?
        while true {
            let operation = try Operation(tree, name: "validate", logName: nil, caller: caller)
            let (report, ending) = try look()
            // One that was ended in the middle says nothing of the service.
            if ending == .stopped, let worst { return worst }
            each(report)
            if worst?.isGood ?? true { worst = report }
            let next = Clock.now() + tree.configuration.time("VALIDATION_INTERVAL")
            if !caller.isStopped() { operation.pause(until: next) }
            if caller.isStopped() { return worst ?? report }
        }
    }

    /// The last validation's report, without looking at the service; that an operation is unfinished is said beside it.
    public func last() throws(DeploymentError) -> OperationReport {
        let names = ((try? Files.entries(tree.logs)) ?? []).filter {
            $0.wholeMatch(of: /validation_report_\d{8}_\d{6}\.json/) != nil
        }
        guard let name = names.last else {
            throw DeploymentError(
                .validation, "there is no validation in '\(tree.logs)' yet: run one without --report-only")
        }
        guard let data = FileManager.default.contents(atPath: "\(tree.logs)/\(name)"),
            var report = try? JSONDecoder().decode(OperationReport.self, from: data)
        else { throw DeploymentError(.damaged, "'\(tree.logs)/\(name)' is not a validation's report: remove it") }
        report.unfinished = Unfinished.find(tree)?.text
        return report
    }

    /// Settles what was left, unless someone is at work.
    /// - Returns: whether something is still unsettled.
    private func recover(_ operation: Operation) -> Bool {
        do {
            guard Recovery.isNeeded(tree) else { return false }
            let lock = try DeploymentLock(tree, for: "a validation")
            defer { withExtendedLifetime(lock) {} }
            let recovery = Recovery(tree: tree, manager: operation.manager, log: operation.log)
            let recovered = try recovery.run(evenWithoutService: false)
            (operation.hasRecovered, operation.deployed) = (recovered != nil, ReleaseInTree.recorded(tree))
            if let trouble = recovered?.trouble {
                operation.checks.append(Check("recovery", .failed, trouble))
                return true
            }
            return false
        } catch {
            operation.checks.append(
                Check("recovery", error.code == .busy ? .warning : .failed, error.description))
            return error.code == .unsettled
        }
    }

    // MARK: history

    private var historyPath: String { "\(tree.logs)/memory_history.json" }

    private func samples() -> [Validation.Sample] {
        ProcFile.bytes(historyPath).flatMap { try? JSONDecoder().decode([Validation.Sample].self, from: Data($0)) }
            ?? []
    }

    private func remember(_ operation: Operation, _ history: [Validation.Sample]) {
        guard let state = try? operation.manager.state(), let main = state.main, let start = Processes.start(of: main)
        else { return }
        let page = Int64(sysconf(Int32(_SC_PAGESIZE)))
        let bytes = state.processes.reduce(Int64(0)) { sum, pid in
            let statm = ProcFile.text("/proc/\(pid)/statm")?.split(separator: " ").compactMap { Int64($0) } ?? []
            return sum + (statm.count > 1 ? statm[1] * page : 0)
        }
        let sample = Validation.Sample(time: Int64(time(nil)), bytes: bytes, main: main, start: start.ticks)
        guard let encoded = try? JSONEncoder().encode((history + [sample]).suffix(2000)) else { return }
        try? Files.replace(historyPath, Array(encoded), mode: tree.configuration.mode("FILE_PERMISSIONS"))
    }
}
