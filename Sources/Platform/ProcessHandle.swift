import CSyscall
import Glibc
public import SystemPackage

/// A process by its pidfd, `pidfd_open(2)`: unlike a process id it never comes to mean another process.
public struct ProcessHandle: Sendable {
    /// The pidfd; it polls readable when the process has ended.
    public let descriptor: Descriptor

    /// Takes over an open pidfd.
    public init(owning descriptor: Descriptor) { self.descriptor = descriptor }

    /// The process that has this id now.
    public init(pid: Int32) throws(Errno) {
        descriptor = Descriptor(owning: try check(fracas_pidfd_open(pid)))
    }

    /// Sends a signal.
    /// - Throws: `ESRCH` when it has ended and was reaped.
    public func send(_ signal: Int32) throws(Errno) {
        try check(fracas_pidfd_send_signal(descriptor.raw, signal))
    }

    /// The status as `wait(2)` gives it, once the process was reaped; nil while it was not, and on kernels before 6.15.
    public func exitStatus() -> Int32? {
        var status: Int32 = 0
        return fracas_pidfd_exit_status(descriptor.raw, &status) == 1 ? status : nil
    }

    /// The process's id in our own pid namespace; nil when it has ended and was reaped.
    public func pid() -> Int32? {
        guard let text = ProcFile.text("/proc/self/fdinfo/\(descriptor.raw)") else { return nil }
        return ProcFile.field("Pid:", in: text).flatMap { Int32($0) }.flatMap { $0 > 0 ? $0 : nil }
    }
}

/// Small files of `proc(5)`.
public enum ProcFile {
    /// Our own process, by its id.
    public static let ownProcess: Int32 = getpid()

    /// A file's bytes, at most `limit`; nil when it cannot be read, as when its process is gone.
    public static func bytes(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
        guard let file = try? Descriptor.open(path) else { return nil }
        return try? file.readAll(limit: limit)
    }

    /// A file as text, bytes that are not UTF-8 replaced.
    public static func text(_ path: String, limit: Int = 1 << 20) -> String? {
        bytes(path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The rest of the line that begins with `name`, without surrounding white space.
    public static func field(_ name: String, in text: String) -> String? {
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            let rest = line.dropFirst(name.count).drop { $0 == " " || $0 == "\t" }
            return String(rest)
        }
        return nil
    }

    /// Where a symbolic link points; nil when it cannot be read.
    public static func link(_ path: String) -> String? {
        linkBytes(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Likewise, as bytes.
    public static func linkBytes(_ path: String) -> [UInt8]? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            guard let room = buffer.baseAddress else { return nil }
            let count = readlink(path, room, buffer.count)
            return count >= 0 ? buffer[..<count].map(UInt8.init(bitPattern:)) : nil
        }
    }

    /// The names in a directory that are numbers: processes, threads or descriptors.
    public static func numbers(_ path: String) -> [Int32] {
        guard let stream = opendir(path) else { return [] }
        defer { closedir(stream) }
        var numbers: [Int32] = []
        while let entry = readdir(stream) {
            let number = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 256) { Int32(String(cString: $0)) }
            }
            if let number { numbers.append(number) }
        }
        return numbers.sorted()
    }

    /// A process's memory, at most `length` bytes from `address`; shorter at the end of a mapping.
    public static func memory(of pid: Int32, at address: UInt64, length: Int) throws(Errno) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: length)
        let count = try check(fracas_read_memory(pid, address, &bytes, length))
        return Array(bytes[..<count])
    }
}
