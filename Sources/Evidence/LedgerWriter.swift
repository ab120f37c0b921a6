public import Foundation

/// Writes a trial's ledger: JSON Lines, in order, each record whole. Used under the trial's lock.
///
/// What does not fit under the limit is dropped and counted; the count is written as a `lost` record before the last one.
public final class LedgerWriter {
    /// Everything written so far.
    public private(set) var records: [Record] = []
    /// How many records were dropped.
    public private(set) var dropped = 0
    private let file: FileHandle?
    private let limit: Int
    private let encoder = JSONEncoder()
    private var buffer = Data()
    /// Why a write failed, if one did.
    public private(set) var failure: String?

    /// A writer that keeps at most `limit` records.
    /// - Parameter file: where to; nil keeps the records in memory only.
    public init(to file: FileHandle?, limit: Int) {
        self.file = file
        self.limit = limit
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    }

    /// Appends a record. Records that end a ledger are kept whatever the limit.
    /// - Parameter time: nanoseconds since the trial began.
    public func append(_ event: Event, time: Int64) {
        if records.count >= limit, !Self.isClosing(event) {
            dropped += 1
            return
        }
        let record = Record(seq: records.count, time: time, event: event)
        records.append(record)
        do {
            buffer.append(try encoder.encode(record))
            buffer.append(UInt8(ascii: "\n"))
        } catch { failure = failure ?? "encode record \(record.seq): \(error)" }
        if buffer.count > 1 << 16 { flush() }
    }

    private static func isClosing(_ event: Event) -> Bool {
        switch event {
        case .census, .tally, .lost, .trouble, .end: true
        default: false
        }
    }

    /// Puts everything on its way to the file.
    public func flush() {
        guard let file, !buffer.isEmpty else { return }
        do {
            try file.write(contentsOf: buffer)
        } catch { failure = failure ?? "write the ledger: \(error.localizedDescription)" }
        buffer.removeAll(keepingCapacity: true)
    }
}
