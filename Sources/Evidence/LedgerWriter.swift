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
    /// How many records are in the file. The others are still to be encoded: that takes longer than anything else about them, and
    /// where they are appended a process may be waiting for it.
    private var written = 0
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
        records.append(Record(seq: records.count, time: time, event: event))
        if records.count - written >= Self.most { flush() }
    }

    /// How many records wait to be written at most.
    private static let most = 512

    private static func isClosing(_ event: Event) -> Bool {
        switch event {
        case .census, .tally, .lost, .trouble, .end: true
        default: false
        }
    }

    /// Puts everything on its way to the file.
    public func flush() {
        guard let file, written < records.count else { return }
        var buffer = Data()
        for record in records[written...] {
            do {
                buffer.append(try encoder.encode(record))
                buffer.append(UInt8(ascii: "\n"))
            } catch { failure = failure ?? "encode record \(record.seq): \(error)" }
        }
        written = records.count
        do {
            try file.write(contentsOf: buffer)
        } catch { failure = failure ?? "write the ledger: \(error.localizedDescription)" }
    }
}
