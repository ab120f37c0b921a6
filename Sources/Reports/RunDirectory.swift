public import Foundation

/// The directory of one run: `reports/<time>-<name>/`, with the ledgers of its trials and its reports.
public struct RunDirectory: Sendable {
    /// Its path.
    public let path: String

    /// An existing run's directory.
    public init(existing path: String) { self.path = path }

    /// Makes a new one below `root`.
    /// - Throws: `ReportError` when it cannot be made.
    public init(below root: String, name: String, time: Date) throws(ReportError) {
        let style = Date.VerbatimFormatStyle(
            format:
                "\(year: .padded(4))\(month: .twoDigits)\(day: .twoDigits)-\(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased))\(minute: .twoDigits)\(second: .twoDigits)",
            timeZone: .gmt, calendar: Calendar(identifier: .gregorian))
        let base = "\(root)/\(time.formatted(style))-\(name)"
        for attempt in 1...1000 {
            let candidate = attempt == 1 ? base : "\(base)-\(attempt)"
            guard !FileManager.default.fileExists(atPath: candidate) else { continue }
            do {
                try FileManager.default.createDirectory(
                    atPath: "\(candidate)/ledgers", withIntermediateDirectories: true)
            } catch { throw ReportError("make the directory '\(candidate)': \(error.localizedDescription)") }
            path = candidate
            return
        }
        throw ReportError("'\(base)' and a thousand names like it are taken")
    }

    /// A directory of the same kind within this one.
    /// - Throws: `ReportError` when it cannot be made.
    public func below(_ name: String) throws(ReportError) -> RunDirectory {
        do {
            try FileManager.default.createDirectory(
                atPath: "\(path)/\(name)/ledgers", withIntermediateDirectories: true)
        } catch { throw ReportError("make the directory '\(path)/\(name)': \(error.localizedDescription)") }
        return RunDirectory(existing: "\(path)/\(name)")
    }

    /// Where a trial's ledger goes, relative to the directory.
    public func ledgerName(trial: Int, scenario: String) -> String {
        let number = String(trial)
        let padded = String(repeating: "0", count: max(0, 5 - number.count)) + number
        return "ledgers/trial-\(padded)-\(scenario).jsonl"
    }

    /// Writes a file whole or not at all.
    /// - Throws: `ReportError` when it cannot be written.
    public func write(_ name: String, _ text: String) throws(ReportError) {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"), options: .atomic)
        } catch { throw ReportError("write '\(path)/\(name)': \(error.localizedDescription)") }
    }
}

/// The error type of this module: what was attempted, and why it failed.
public struct ReportError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, and why it failed.
    public let description: String

    init(_ description: String) { self.description = description }
}
