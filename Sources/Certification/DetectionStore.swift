public import Benchmarks
import Foundation
public import Reports

/// Keeps what came of each run as it comes, so that a measurement of hours can be interrupted and gone on with.
public final class DetectionStore {
    /// What was there at the beginning.
    public let runs: [DetectionRun]
    private let results: FileHandle
    private let place: String

    private static let settingsName = "settings.json"
    private static let resultsName = "results.jsonl"

    /// Begins a measurement in a new directory, or goes on with the one in it.
    /// - Throws: `CertificationError` when it was made with other settings, or files cannot be read or written; `ReportError` likewise.
    public init(in directory: RunDirectory, settings: DetectionSettings) throws {
        place = "\(directory.path)/\(Self.resultsName)"
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let path = "\(directory.path)/\(Self.settingsName)"
        if let data = FileManager.default.contents(atPath: path) {
            guard let known = try? JSONDecoder().decode(DetectionSettings.self, from: data) else {
                throw CertificationError("'\(path)' is not what bench detect writes: begin anew without --resume")
            }
            guard known == settings else {
                let text = String(decoding: try encoder.encode(settings), as: UTF8.self)
                throw CertificationError(
                    "'\(path)' says that this was measured with other settings than \(text): give the same options and the same target, or begin anew"
                )
            }
        } else {
            try directory.write(Self.settingsName, String(decoding: try encoder.encode(settings), as: UTF8.self) + "\n")
        }
        let text = FileManager.default.contents(atPath: place).map { String(decoding: $0, as: UTF8.self) } ?? ""
        // Whoever was interrupted may have left half a line.
        let lines = text.split(separator: "\n")
        runs = lines.compactMap { try? JSONDecoder().decode(DetectionRun.self, from: Data($0.utf8)) }
        guard runs.count >= lines.count - 1 else {
            throw CertificationError(
                "'\(place)' has lines that are no results: take them out, or begin anew without --resume")
        }
        let whole = try runs.map(Self.line).joined()
        try directory.write(Self.resultsName, whole)
        guard let handle = FileHandle(forWritingAtPath: place) else {
            throw CertificationError("write '\(place)': is it writable for this user?")
        }
        results = handle
        try results.seekToEnd()
    }

    /// Keeps one more.
    /// - Throws: `CertificationError` when it cannot be written.
    func append(_ run: DetectionRun) throws {
        do { try results.write(contentsOf: Data(try Self.line(run).utf8)) } catch {
            throw CertificationError("write '\(place)': \(error.localizedDescription)")
        }
    }

    private static func line(_ run: DetectionRun) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(run), as: UTF8.self) + "\n"
    }
}
