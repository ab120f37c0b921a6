public import Foundation
import Glibc
import Platform
import SystemPackage

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
        do { try Files.makeDirectories(root) } catch { throw Self.failure("make the directory", root, error) }
        for attempt in 1...1000 {
            let candidate = attempt == 1 ? base : "\(base)-\(attempt)"
            do {
                // Several may begin in the same second: whoever makes the directory has it.
                try Files.makeNewDirectory(candidate)
                try Files.makeNewDirectory("\(candidate)/ledgers")
            } catch Errno.fileExists { continue } catch {
                throw Self.failure("make the directory", candidate, error)
            }
            path = candidate
            return
        }
        throw ReportError("'\(base)' and a thousand names like it are taken")
    }

    /// A directory of the same kind within this one.
    /// - Throws: `ReportError` when it cannot be made.
    public func below(_ name: String) throws(ReportError) -> RunDirectory {
        do { try Files.makeDirectories("\(path)/\(name)/ledgers") } catch {
            throw Self.failure("make the directory", "\(path)/\(name)", error)
        }
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
            try Descriptor.open(path, flags: O_RDONLY | O_DIRECTORY).replace(name, with: Array(text.utf8))
        } catch {
            try? Files.remove("\(path)/\(name).new")
            throw Self.failure("write", "\(path)/\(name)", error)
        }
    }

    private static func failure(_ what: String, _ path: String, _ error: Errno) -> ReportError {
        let remedy =
            switch error {
            case .noSpace, .diskQuotaExceeded: "give --reports a place where there is space"
            case .notDirectory, .fileExists: "a part of that path is a file: give --reports another place"
            case .permissionDenied, .readOnlyFileSystem, .notPermitted: "give --reports a place that you may write to"
            default: "give --reports another place"
            }
        return ReportError("\(what) '\(path)': \(error); \(remedy)")
    }
}

/// The error type of this module: what was attempted, and why it failed.
public struct ReportError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, and why it failed.
    public let description: String

    init(_ description: String) { self.description = description }
}
