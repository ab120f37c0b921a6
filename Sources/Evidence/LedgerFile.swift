import Foundation

/// The error type of this module: what was attempted, and why it failed.
public struct EvidenceError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, where, why it failed, what to do.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Reading stored ledgers.
public enum LedgerFile {
    private static let largest = 1 << 30

    /// Reads a ledger. A last line that was cut short is left out: the missing end shows that the ledger is not whole.
    /// - Throws: `EvidenceError` when it cannot be read, or a line of it is not a record.
    public static func read(_ path: String) throws(EvidenceError) -> [Record] {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard let size = attributes?[.size] as? NSNumber else {
            throw EvidenceError("the ledger '\(path)' is not there")
        }
        guard size.intValue <= largest, let data = FileManager.default.contents(atPath: path) else {
            throw EvidenceError("the ledger '\(path)' cannot be read, or is larger than 1 GiB")
        }
        let decoder = JSONDecoder()
        var records: [Record] = []
        let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
        for (index, line) in lines.enumerated() {
            do {
                records.append(try decoder.decode(Record.self, from: Data(line)))
            } catch {
                let isCutShort = index == lines.count - 1 && data.last != UInt8(ascii: "\n")
                if isCutShort { break }
                throw EvidenceError("\(path):\(index + 1): not a record of this version's format: \(reason(error))")
            }
        }
        return records
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "'\(key.stringValue)' is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            context.debugDescription
        case DecodingError.dataCorrupted(let context): context.debugDescription
        default: "\(error)"
        }
    }
}
