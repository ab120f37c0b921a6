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

    /// Runs one scenario text, with files beside it, and returns the summary.
    static func run(
        scenario: String, _ arguments: [String] = [], files: [String: String] = [:]
    ) throws -> (Command, RunSummary) {
        let directory = try temporaryDirectory(files)
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

    /// Makes a directory with these files, by their paths in it.
    static func temporaryDirectory(_ files: [String: String]) throws -> String {
        let directory = try temporaryDirectory()
        for (name, text) in files {
            let url = URL(fileURLWithPath: "\(directory)/\(name)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: url, atomically: true, encoding: .utf8)
        }
        return directory
    }
}

extension Process {
    /// Runs it to its end.
    /// - Returns: its exit code, and what it printed on both streams.
    func runToEnd() throws -> (status: Int32, text: String) {
        let pipe = Pipe()
        standardOutput = pipe
        standardError = pipe
        try run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        waitUntilExit()
        return (terminationStatus, text)
    }
}
