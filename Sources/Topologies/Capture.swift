public import Evidence
public import Platform

/// One captured stream of one process: bytes come in, lines come out.
public final class Capture {
    /// Whose stream it is.
    public let process: TrackedProcess
    /// Which.
    public let stream: Line.Stream
    /// Our end of it.
    public let source: Descriptor
    /// Bytes beyond the limit, which were not kept.
    public private(set) var dropped = 0
    /// The last lines, the latest at the end.
    public private(set) var lastLines: [String] = []
    private static let mostLastLines = 3
    private var pending: [UInt8] = []
    private var kept = 0
    private let limit: Int
    private static let longestLine = 8192

    /// A capture that keeps at most `limit` bytes.
    public init(process: TrackedProcess, stream: Line.Stream, source: Descriptor, limit: Int) {
        self.process = process
        self.stream = stream
        self.source = source
        self.limit = limit
    }

    /// Reads what is there and calls `line` for each whole line, and for the rest at the end of the stream.
    /// - Returns: whether more may come.
    public func read(into buffer: UnsafeMutableRawBufferPointer, line: (String) -> Void) -> Bool {
        while true {
            guard let count = try? source.read(into: buffer) else { return true }
            if count == 0 {
                if !pending.isEmpty { emit(line) }
                return false
            }
            take(UnsafeRawBufferPointer(rebasing: buffer[..<count]), line)
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer, _ line: (String) -> Void) {
        let allowed = max(0, min(bytes.count, limit - kept))
        kept += allowed
        dropped += bytes.count - allowed
        for byte in bytes[..<allowed] {
            if byte == UInt8(ascii: "\n") {
                emit(line)
            } else if pending.count < Self.longestLine {
                pending.append(byte)
            }
        }
    }

    private func emit(_ line: (String) -> Void) {
        let text = String(decoding: pending, as: UTF8.self)
        line(text)
        if lastLines.count == Self.mostLastLines { lastLines.removeFirst() }
        lastLines.append(String(text.prefix(200)))
        pending.removeAll(keepingCapacity: true)
    }
}
