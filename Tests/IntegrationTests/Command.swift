import Checkers
import Foundation
import Reports
import Testing

/// Runs the built `fracas` as a user would.
struct Command {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    #if DEBUG
        static let program = "\(root)/.build/debug/fracas"
    #else
        static let program = "\(root)/.build/release/fracas"
    #endif
    static let python = "\(root)/.venv/bin/python"

    let status: Int32
    let output: String
    let errors: String

    /// Runs `fracas` with arguments in a directory and waits for its end.
    static func run(_ arguments: [String], in directory: String) throws -> Command {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        let errors = "\(directory)/errors-\(UUID().uuidString)"
        _ = FileManager.default.createFile(atPath: errors, contents: nil)
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle(forWritingAtPath: errors)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Command(
            status: process.terminationStatus, output: String(decoding: data, as: UTF8.self),
            errors: (try? String(contentsOfFile: errors, encoding: .utf8)) ?? "")
    }

    /// Runs one scenario text and returns the summary.
    static func run(scenario: String, _ arguments: [String] = []) throws -> (Command, RunSummary) {
        let directory = try temporaryDirectory()
        try scenario.write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let command = try run(
            ["run", "s.yaml", "--format", "json", "--python", python] + arguments, in: directory)
        let summary = try? JSONDecoder().decode(RunSummary.self, from: Data(command.output.utf8))
        let found = try #require(summary, "no summary; standard error: \(command.errors)")
        if found.verdict == .held { try? FileManager.default.removeItem(atPath: directory) }
        return (command, found)
    }

    static func temporaryDirectory() throws -> String {
        let path = "/var/tmp/fracas-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}
