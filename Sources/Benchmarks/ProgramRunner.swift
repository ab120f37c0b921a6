import Checkers
import Evidence
import Foundation
import Platform
import Scenarios
import Topologies
import Trials

/// The error type of this module: what was attempted, and why it failed.
public struct BenchmarkError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, why it failed, what to do.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Runs a program as it is, or under a gate, and reads the figure it prints of itself (`ns_per_call=…`, `elapsed_ns=…`).
struct ProgramRunner {
    let sandbox: Sandbox.Options

    /// Runs a program by itself.
    func plain(_ command: [String]) throws -> Double {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("run '\(command.joined(separator: " "))': it ended with \(process.terminationStatus)")
        }
        return try figure(in: String(decoding: data, as: UTF8.self), command)
    }

    /// Runs a program in a trial of its own, under a plan that waits for what never comes at these calls.
    func gated(_ command: [String], stopping calls: [String]) throws -> Double {
        guard let roles = RolePattern(parsing: "load") else { throw BenchmarkError("make a role") }
        let never = Point(roles: roles, place: .calls(calls), window: .init(nth: .init(Int(Int32.max))))
        let scenario = Scenario(
            name: "bench", topology: Topology(processes: [.init(role: Role("load", 0), command: command)]),
            steps: [
                Step(name: "start", action: .start(roles: nil, ready: true), within: .seconds(30)),
                Step(name: "end", action: .wait(.exit(roles: roles)), within: .seconds(600)),
            ], points: [NamedPoint(name: "never", point: never)], limits: Limits(trial: .seconds(600)))
        let ledger = FileManager.default.temporaryDirectory.appendingPathComponent("fracas-bench-\(UUID().uuidString)")
            .path
        defer { try? FileManager.default.removeItem(atPath: ledger) }
        let result = Trial.run(
            TrialPlan(number: 1, seed: 1, scenario: scenario, ledger: ledger, sandbox: sandbox), waker: try Waker())
        guard result.judgement.verdict == .held else {
            let why = result.judgement.problems + result.judgement.violations.map(\.message)
            throw BenchmarkError(
                "run '\(command.joined(separator: " "))' under the gate: \(why.joined(separator: "; "))")
        }
        let lines = try LedgerFile.read(ledger).compactMap { record -> String? in
            guard case .line(let line) = record.event else { return nil }
            return line.text
        }
        return try figure(in: lines.joined(separator: "\n"), command)
    }

    private func figure(in output: String, _ command: [String]) throws -> Double {
        // What is timed may print figures of its own; the one that was asked for comes last.
        for word in output.split(whereSeparator: \.isWhitespace).reversed() {
            let parts = word.split(separator: "=")
            guard parts.count == 2, ["ns_per_call", "elapsed_ns"].contains(parts[0]), let value = Double(parts[1])
            else {
                continue
            }
            return value
        }
        throw BenchmarkError("run '\(command.joined(separator: " "))': it printed no figure")
    }
}
