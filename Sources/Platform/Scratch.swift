import CSyscall
import Glibc

/// Memory that the hot path looks things up in: what `/proc` and a stopped process's memory say, with nothing allocated.
/// Used by one thread at a time; each look-up overwrites the last one's text.
public final class Scratch {
    private let text: UnsafeMutableBufferPointer<CChar>
    private let second: UnsafeMutableBufferPointer<CChar>

    /// Room for a path.
    public init() {
        text = .allocate(capacity: 8192)
        second = .allocate(capacity: 4096)
        text.initialize(repeating: 0)
        second.initialize(repeating: 0)
    }

    deinit {
        text.deallocate()
        second.deallocate()
    }

    /// An end of something that two processes can have between them.
    public struct End: Hashable, Sendable {
        /// The inode.
        public let inode: UInt64
        /// Whether it is a socket, and not a pipe.
        public let isSocket: Bool
        /// Names an end.
        public init(inode: UInt64, isSocket: Bool) {
            self.inode = inode
            self.isSocket = isSocket
        }
    }

    /// The pipe or socket that a process's descriptor is; nil when it is neither, or not open.
    public func end(of pid: Int32, descriptor: Int32) -> End? {
        guard link(of: pid, descriptor: descriptor), let base = text.baseAddress else { return nil }
        if strncmp(base, "pipe:[", 6) == 0 { return End(inode: strtoull(base + 6, nil, 10), isSocket: false) }
        if strncmp(base, "socket:[", 8) == 0 { return End(inode: strtoull(base + 8, nil, 10), isSocket: true) }
        return nil
    }

    /// Looks up what a descriptor is; false when it is not open.
    public func link(of pid: Int32, descriptor: Int32) -> Bool {
        fracas_descriptor_link(pid, descriptor, text.baseAddress, text.count) > 0
    }

    /// Looks up a thread's name.
    public func threadName(_ thread: Int32) -> Bool {
        fracas_process_line(thread, "comm", text.baseAddress, text.count) > 0
    }

    /// Reads a path from a stopped thread's memory, and makes it whole: from the directory of a descriptor, or its working
    /// directory when that is nil.
    public func path(of thread: Int32, at address: UInt64, directory: Int32?) -> Bool {
        guard let base = text.baseAddress, let other = second.baseAddress else { return false }
        // A path may end before an unmapped page: what could be read is enough if it holds the end.
        let count = fracas_read_memory(thread, address, other, second.count - 1)
        guard count > 0 else { return false }
        other[count] = 0
        guard strlen(other) < count else { return false }
        if other[0] == CChar(UInt8(ascii: "/")) {
            strcpy(base, other)
            return true
        }
        let length =
            if let directory, directory != AT_FDCWD {
                fracas_descriptor_link(thread, directory, base, 4096)
            } else { fracas_process_link(thread, "cwd", base, 4096) }
        guard length > 0 else { return false }
        base[length] = CChar(UInt8(ascii: "/"))
        strcpy(base + length + 1, other)
        return true
    }

    /// Looks up the far end of a socket, or the address that a call names in memory.
    public func peer(of socket: Descriptor) -> Bool {
        fracas_peer_text(socket.raw, text.baseAddress, text.count)
        return text[0] != 0
    }

    /// Reads a socket address from a stopped thread's memory.
    public func address(of thread: Int32, at address: UInt64, length: UInt64) -> Bool {
        var storage = sockaddr_storage()
        let size = min(Int(truncatingIfNeeded: length & 0xFFFF), MemoryLayout<sockaddr_storage>.size)
        guard size > 2, fracas_read_memory(thread, address, &storage, size) == size else { return false }
        fracas_address_text(&storage, UInt32(size), text.baseAddress, text.count)
        return text[0] != 0
    }

    /// What was looked up last.
    public var string: String { text.baseAddress.map { String(cString: $0) } ?? "" }

    /// Whether what was looked up last matches a pattern of `fnmatch(3)`.
    public func matches(_ pattern: Pattern) -> Bool { fracas_matches(pattern.text, text.baseAddress) != 0 }

    /// Whether a text matches a pattern of `fnmatch(3)`.
    public static func matches(_ pattern: String, _ text: String) -> Bool { fracas_matches(pattern, text) != 0 }

    /// A pattern in the form C takes it.
    public final class Pattern {
        fileprivate let text: UnsafeMutablePointer<CChar>

        /// A pattern of `fnmatch(3)`.
        public init(_ pattern: String) {
            let bytes = pattern.utf8CString
            text = .allocate(capacity: bytes.count)
            for (index, byte) in bytes.enumerated() { (text + index).initialize(to: byte) }
        }

        deinit { text.deallocate() }
    }
}

extension ProcFile {
    /// Writes bytes into a stopped process's memory.
    /// - Returns: whether all of them could be written.
    public static func write(_ bytes: [UInt8], to pid: Int32, at address: UInt64) -> Bool {
        fracas_write_memory(pid, address, bytes, bytes.count) == bytes.count
    }
}
