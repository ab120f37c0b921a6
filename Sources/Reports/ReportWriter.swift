import Foundation

/// Writes a run's reports into its directory.
public enum ReportWriter {
    /// Writes `summary.json`, `junit.xml` and `report.html`.
    /// - Throws: `ReportError` when one cannot be written.
    public static func write(_ summary: RunSummary, to directory: RunDirectory) throws(ReportError) {
        try write(summaryOf: summary, to: directory)
        try directory.write("junit.xml", JUnitReport.text(summary))
        try directory.write("report.html", try HTMLReport.text(summary, directory: directory))
    }

    /// Writes what is to be found of a run that is ended before it can report: that it was, and of what kind it is.
    /// - Throws: `ReportError` when it cannot be written.
    public static func begin(_ summary: RunSummary, in directory: RunDirectory) throws(ReportError) {
        var summary = summary
        summary.interrupted = true
        summary.decide()
        try write(summaryOf: summary, to: directory)
    }

    private static func write(summaryOf summary: RunSummary, to directory: RunDirectory) throws(ReportError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let json = try? encoder.encode(summary) else { throw ReportError("encode the summary") }
        try directory.write("summary.json", String(decoding: json, as: UTF8.self) + "\n")
    }
}
