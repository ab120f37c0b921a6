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
    static func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        do {
            return try await withCheckedThrowingContinuation { continuation in
                let thread = Thread { continuation.resume(with: Result { try body() }) }
                thread.name = "fracas deployment"
                thread.stackSize = 8 << 20
                thread.start()
            }
        } catch let error as DeploymentError {
            throw Complaint(error.description, exit: error.code == .unsettled ? 3 : 2)
        }
    }

    /// Likewise.
    func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await Self.blocking(body)
    }

    /// Shows a report and ends with its exit code: 0 good, 1 failed and undone or not healthy, 2 not begun, 3 not settled yet,
    /// 130 interrupted.
    func finish(_ report: OperationReport) throws -> Never {
        let answer = Answer(report, isStopped: Interruption.stop.isSet)
        try show(answer) {
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
        throw ExitCode(answer.exit)
    }

    /// Shows an answer: as JSON when that is asked for, else as `text` does it.
    func show(_ answer: Answer, text: () -> Void) throws {
        if format == .json { Output.say(try Output.encoded(answer)) } else { text() }
    }
}

extension Answer {
    private static let commands: Set<String> = [
        "deploy", "rollback", "validate", "backups", "service", "kit", "doctor", "release",
    ]

    /// Whether a command line asks for an answer as JSON, as far as that can be told of one that could not be understood.
    static func isWanted(_ arguments: [String]) -> Bool {
        guard arguments.count > 1, commands.contains(arguments[1]) else { return false }
        return arguments.contains("--format=json")
            || zip(arguments, arguments.dropFirst()).contains { $0 == "--format" && $1 == "json" }
    }

    /// The answer of a command that was not begun, or left something that the next one must settle.
    static func refusal(_ arguments: [String], _ message: String, exit: Int32) -> Answer {
        Answer(
            arguments[1], changed: exit == 3, outcome: exit == 3 ? "unsettled" : "refused", exit: exit,
            message: message)
    }
}
