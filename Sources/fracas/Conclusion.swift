import ArgumentParser
import Checkers
import Foundation
import Reports

/// How a command that ran trials ends: reports are written, the verdict is told, and the exit code says the same. That a report cannot be
/// written takes no verdict away: it is told all the same, but nothing is then held.
struct Conclusion {
    /// The run in numbers and findings.
    var summary: RunSummary
    /// Where its reports go.
    let directory: RunDirectory
    /// Other files of the run, by name.
    private var files: [(name: String, text: () throws -> String)] = []

    /// The end of a run.
    init(_ summary: RunSummary, _ directory: RunDirectory) {
        self.summary = summary
        self.directory = directory
    }

    /// Has a value written as JSON besides.
    func with(_ name: String, _ value: some Encodable) -> Conclusion {
        var more = self
        more.files.append((name, { try Output.encoded(value) + "\n" }))
        return more
    }

    /// Writes the reports and tells the verdict.
    /// - Parameters:
    ///   - text: what standard output carries, given the summary and the reports' directory, nil when they could not be written.
    ///   - remarks: what is said besides, on standard error.
    /// - Returns: never; ends with the exit code of the verdict.
    func tell(remarks: [String] = [], _ text: (RunSummary, String?) throws -> String) throws -> Never {
        var summary = summary
        var failure: String?
        do {
            try ReportWriter.write(summary, to: directory)
            for file in files { try directory.write(file.name, file.text()) }
        } catch {
            failure = "\(error)"
            summary.add(
                RunPart(name: "report", verdict: .inconclusive, text: "the report could not be written: \(error)"))
        }
        print(try text(summary, failure == nil ? directory.path : nil))
        for remark in remarks { Output.complain(remark) }
        if let failure { Output.complain("\(failure) (what was written of it is in '\(directory.path)')") }
        throw ExitCode(summary.exitCode)
    }
}
