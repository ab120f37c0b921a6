import ArgumentParser
import Certification
import Checkers
import Foundation
import Reports

/// `fracas check`.
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Judges a stored run, or single ledgers, again from the evidence alone.")

    @Argument(help: "A run's directory, or ledger files.")
    var paths: [String]
    @Option(help: "What standard output carries: text or json.")
    var format: RunOptions.Format = .text

    func run() throws {
        let summary: RunSummary
        do { summary = try StoredRun.judge(paths) } catch { throw Complaint("\(error)") }
        print(format == .json ? try Output.json(summary) : Output.text(summary, directory: nil))
        // That it was interrupted then is no reason to end as if this were now.
        throw ExitCode(summary.verdict.exitCode)
    }
}

/// `fracas report`.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Writes a stored run's reports again, from its ledgers.")

    @Argument(help: "The run's directory.")
    var directory: String

    func run() throws {
        do {
            let summary = try StoredRun.judge([directory])
            try ReportWriter.write(summary, to: RunDirectory(existing: directory))
        } catch { throw Complaint("\(error)") }
        print("\(directory)/report.html")
    }
}
