import Foundation
import Glibc
import Platform
import Synchronization

/// A client that asks a service in a tight loop, in a thread of its own.
final class ServiceProber: Sendable {
    private let port: Int
    private let record = Mutex(ProbeRecord())
    private let isOver = Mutex(false)
    private let done: (read: Descriptor, write: Descriptor)

    /// Starts to ask.
    init(port: Int) throws {
        self.port = port
        done = try Descriptor.pipe()
        let thread = Thread { [self] in
            ask()
            try? done.write.writeAll([1])
        }
        thread.name = "fracas prober"
        thread.start()
    }

    private func ask() {
        while !isOver.withLock({ $0 }) {
            let asked = Clock.now()
            let isAnswered = Self.answers(port)
            let over = Clock.now()
            record.withLock { $0.add(asked: asked, over: over, isAnswered: isAnswered) }
        }
    }

    /// Ends it, and waits until it has ended.
    func end() -> ProbeRecord {
        isOver.withLock { $0 = true }
        _ = Wait.forInput(done.read, until: .max)
        return record.withLock { $0 }
    }

    /// Asks until there is an answer.
    /// - Returns: whether there was one before the deadline.
    static func await(port: Int, until deadline: Int64) -> Bool {
        while !answers(port) { if Clock.now() >= deadline { return false } }
        return true
    }

    /// Whether one question is answered with 200 within a second.
    static func answers(_ port: Int) -> Bool {
        let deadline = Clock.now() + 1_000_000_000
        do {
            let socket = try Descriptor.connect(loopbackPort: port, until: deadline)
            try socket.writeAll(Array("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".utf8))
            var answer = [UInt8](repeating: 0, count: 256)
            guard Wait.forInput(socket, until: deadline),
                let count = try answer.withUnsafeMutableBytes({ try socket.read(into: $0) })
            else { return false }
            return String(decoding: answer[..<count], as: UTF8.self).hasPrefix("HTTP/1.1 200")
        } catch { return false }
    }

    /// A port of the loopback address that nobody has now.
    static func freePort() throws -> Int {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw BenchmarkError("make a socket: \(String(cString: strerror(errno)))") }
        let socket = Descriptor(owning: raw)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket.raw, $0, length) == 0 ? getsockname(socket.raw, $0, &length) : -1
            }
        }
        guard result == 0 else { throw BenchmarkError("find a free port: \(String(cString: strerror(errno)))") }
        return Int(in_port_t(bigEndian: address.sin_port))
    }
}
