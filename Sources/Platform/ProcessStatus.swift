import Glibc

/// What `/proc/<thread>/status` says of a thread's place among processes, `proc(5)`. Read at every birth, so without the detour
/// by strings.
public struct ProcessStatus: Sendable, Equatable {
    /// The process the thread belongs to, in our own pid namespace.
    public let group: Int32
    /// Its parent process, likewise.
    public let parent: Int32
    /// The thread's id in its innermost pid namespace.
    public let innerThread: Int32

    /// Reads it; nil when the thread is gone.
    public init?(of thread: Int32) {
        guard let bytes = ProcFile.bytes("/proc/\(thread)/status") else { return nil }
        self.init(parsing: bytes)
    }

    /// Parses the text of such a file; nil when a field is missing.
    public init?(parsing bytes: [UInt8]) {
        var group: Int32?
        var parent: Int32?
        var inner: Int32?
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            if line.starts(with: "Tgid:".utf8) {
                group = Self.lastNumber(line)
            } else if line.starts(with: "PPid:".utf8) {
                parent = Self.lastNumber(line)
            } else if line.starts(with: "NSpid:".utf8) {
                inner = Self.lastNumber(line)
                break
            }
        }
        guard let group, let parent, let inner else { return nil }
        self.group = group
        self.parent = parent
        self.innerThread = inner
    }

    /// The number at a line's end: of several, that of the innermost namespace.
    private static func lastNumber(_ line: ArraySlice<UInt8>) -> Int32? {
        var value: Int32 = 0
        var scale: Int32 = 1
        var digits = 0
        for byte in line.reversed() {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), digits < 9 else { break }
            value += Int32(byte - UInt8(ascii: "0")) * scale
            scale *= digits < 8 ? 10 : 1
            digits += 1
        }
        return digits > 0 ? value : nil
    }
}
