import ArgumentParser
import Certification
import Deployments
import Foundation

/// What the commands that work on a deployed tree have in common.
struct DeploymentOptions: ParsableArguments {
    @Option(help: "The deployed tree, which has the kit in its deployment directory.")
    var tree = "."
    @Option(name: .customLong("set"), help: "Goes over the configuration: --set KEY=value (may be repeated).")
    var settings: [String] = []
    @Option(help: "What standard output carries: text or json.")
    var format: RunOptions.Format = .text

    /// The tree with its configuration.
    /// - Parameter onlyLooking: for who runs nothing of what it says.
    func load(onlyLooking: Bool = false) throws -> DeploymentTree {
        do {
            return try DeploymentTree(
                tree, environment: ProcessInfo.processInfo.environment, overrides: settings, onlyLooking: onlyLooking)
        } catch { throw Complaint(error.description) }
    }

    /// Where an operation's steps go: to the terminal, unless that is to carry JSON.
    var caller: Caller {
        let isText = format == .text
        return Caller(
            say: { isText ? Output.say($0) : Output.complain($0) },
            isStopped: { Interruption.stop.isSet }, checkNodes: NodeCheck.run)
    }

    /// Does something that blocks, in a thread of its own that lives as long as it takes: what it starts dies with that thread.
    func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        do {
            return try await withCheckedThrowingContinuation { continuation in
                let thread = Thread { continuation.resume(with: Result { try body() }) }
                thread.name = "fracas deployment"
                thread.stackSize = 8 << 20
                thread.start()
            }
        } catch let error as DeploymentError {
            guard error.code == .unsettled else { throw Complaint(error.description) }
            Output.complain(error.description)
            throw ExitCode(3)
        }
    }

    /// Shows a report and ends with its exit code: 0 good, 1 failed and undone or not healthy, 2 not begun, 3 not settled yet,
    /// 130 interrupted.
    func finish(_ report: OperationReport) throws -> Never {
        if format == .json {
            Output.say(try Output.encoded(report))
        } else {
            Output.say(
                "\n\(report.operation): \(report.result)"
                    + (report.release.map { ", release in the tree: \($0)" } ?? ""))
            for (name, value) in [
                ("note", report.unfinished), ("backup", report.backup), ("log", report.log), ("report", report.report),
            ] {
                if let value { Output.say("\(name): \(value)") }
            }
        }
        if let error = report.error {
            Output.complain(error.split(separator: "\n").map { "fracas: \($0)" }.joined(separator: "\n"))
        }
        if report.isGood { throw ExitCode(0) }
        if report.release == "unsettled" { throw ExitCode(3) }
        if Interruption.stop.isSet { throw ExitCode(130) }
        throw ExitCode(report.hasBegun || report.result == "unhealthy" ? 1 : 2)
    }
}
