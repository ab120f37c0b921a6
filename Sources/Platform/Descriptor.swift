import CSyscall
import Glibc
public import SystemPackage

/// An open file descriptor that is closed when nothing refers to it any more.
public final class Descriptor: Sendable {
    /// The number, for system calls; valid as long as this object is.
    public let raw: Int32

    /// Takes over an open descriptor.
    public init(owning raw: Int32) { self.raw = raw }

    deinit { close(raw) }

    /// Opens a file, always close-on-exec. `mode` is used when it is created.
    /// - Throws: the errno of `open(2)`.
    public static func open(_ path: String, flags: Int32 = 0, mode: UInt32 = 0o644) throws(Errno) -> Descriptor {
        Descriptor(owning: try check(fracas_open(path, flags, Int32(mode))))
    }

    /// Opens a file relative to this directory.
    /// - Throws: the errno of `openat(2)`.
    public func open(at path: String, flags: Int32 = 0) throws(Errno) -> Descriptor {
        Descriptor(owning: try check(fracas_openat(raw, path, flags)))
    }

    /// A pipe: what is written to `write` comes out of `read`. Both ends are close-on-exec.
    /// - Throws: the errno of `pipe2(2)`.
    public static func pipe() throws(Errno) -> (read: Descriptor, write: Descriptor) {
        var ends: [Int32] = [0, 0]
        try check(fracas_pipe(&ends))
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }

    /// An anonymous file in memory, `memfd_create(2)`.
    public static func memory(_ name: String, holding bytes: [UInt8] = []) throws(Errno) -> Descriptor {
        let file = Descriptor(owning: try check(fracas_memfd(name)))
        try file.writeAll(bytes)
        return file
    }

    /// Whether reads and writes answer `EAGAIN` where they would block.
    public var isNonBlocking: Bool { fracas_descriptor_flags(raw) & O_NONBLOCK != 0 }

    /// Makes reads and writes answer `EAGAIN` where they would block.
    public func setNonBlocking() throws(Errno) { try check(fracas_set_nonblocking(raw)) }

    /// Reads what is there, at most `buffer.count` bytes.
    /// - Returns: the number of bytes, 0 at end of file, nil when nothing is there yet.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int? {
        while true {
            let count = CSyscall.read(raw, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            if errno == EAGAIN { return nil }
            if errno != EINTR { throw Errno(rawValue: errno) }
        }
    }

    /// Writes every byte.
    /// - Throws: the errno of `write(2)`; how much was written before is not told.
    public func writeAll(_ bytes: [UInt8]) throws(Errno) {
        var failure: Errno?
        bytes.withUnsafeBytes { room in
            do throws(Errno) { try writeAll(room) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Likewise what is in a piece of memory.
    public func writeAll(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let count = CSyscall.write(raw, bytes.baseAddress?.advanced(by: done), bytes.count - done)
            if count >= 0 {
                done += count
            } else if errno != EINTR {
                throw Errno(rawValue: errno)
            }
        }
    }

    /// Reads to the end, at most `limit` bytes.
    public func readAll(limit: Int = 1 << 20) throws(Errno) -> [UInt8] {
        var bytes: [UInt8] = []
        var isAtEnd = false
        while !isAtEnd, bytes.count < limit {
            let most = min(4096, limit - bytes.count)
            var failure: Int32 = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: most) { room, count in
                let result = CSyscall.read(raw, room.baseAddress, most)
                failure = result < 0 ? errno : 0
                count = max(0, result)
            }
            if failure != 0, failure != EINTR { throw Errno(rawValue: failure) }
            isAtEnd = failure == 0 && chunk.isEmpty
            if bytes.isEmpty { bytes = chunk } else { bytes += chunk }
        }
        return bytes
    }

    /// Puts a file of this name and content into this directory, in one step for whoever reads it.
    /// - Throws: the errno of the call that failed.
    public func replace(_ name: String, with bytes: [UInt8]) throws(Errno) {
        let fresh = name + ".new"
        let file = Descriptor(owning: try check(fracas_create_at(raw, fresh)))
        try file.writeAll(bytes)
        try check(renameat(raw, fresh, raw, name))
    }

    /// The names in this directory, without `.` and `..`, in no particular order. In a name that is not UTF-8 other characters
    /// stand for its bytes, so that it cannot be opened by it: who must miss none asks for `names`.
    public func entries() throws(Errno) -> [String] { try names().map { String(decoding: $0, as: UTF8.self) } }

    /// Likewise, each as its bytes.
    /// - Throws: the errno of `readdir(3)` too, so that what is returned is all there is.
    public func names() throws(Errno) -> [[UInt8]] {
        // A duplicate shares its read position with the original, so the directory is opened anew.
        let copy = try check(fracas_openat(raw, ".", O_RDONLY | O_DIRECTORY))
        guard let stream = fdopendir(copy) else {
            let error = errno
            close(copy)
            throw Errno(rawValue: error)
        }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while true {
            // Its end and its failure look alike but for this.
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw Errno(rawValue: errno) }
                return names
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: UInt8.self, capacity: 256) { bytes in
                    Array(UnsafeBufferPointer(start: bytes, count: 256).prefix { $0 != 0 })
                }
            }
            if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
        }
    }
}

/// Turns the -1 of a system call into its errno: the only place where that is done.
@discardableResult
public func check(_ result: Int32) throws(Errno) -> Int32 {
    guard result >= 0 else { throw Errno(rawValue: errno) }
    return result
}

/// Turns the -1 of a system call with a long result into its errno.
@discardableResult
public func check(_ result: Int) throws(Errno) -> Int {
    guard result >= 0 else { throw Errno(rawValue: errno) }
    return result
}
