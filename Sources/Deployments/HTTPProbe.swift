import Foundation
import Glibc
import Platform

/// One GET request to the loopback address, for health checks. Blocks the calling thread, at most for the time given.
enum HTTPProbe {
    /// An answer.
    struct Answer: Sendable {
        /// The status code.
        var status: Int
        /// The body, at most 1 MiB of it.
        var body: String
        /// From the connection's begin to the answer's end.
        var milliseconds: Double
    }

    /// Why there is no answer.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Asks.
    static func get(port: Int, path: String, nanoseconds: Int64) throws(Failure) -> Answer {
        let began = Clock.now()
        let deadline = began + nanoseconds
        do {
            let socket = try Descriptor.connect(loopbackPort: port, until: deadline)
            let request =
                "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nUser-Agent: fracas\r\nConnection: close\r\n\r\n"
            try socket.writeAll(Array(request.utf8))
            let bytes = try receive(socket, deadline)
            let milliseconds = Double(Clock.now() - began) / 1e6
            return try parse(bytes, milliseconds)
        } catch let failure as Failure { throw failure } catch { throw Failure(description: "\(error)") }
    }

    /// Everything to the end that the length in the head gives, or to the end of the connection.
    private static func receive(_ socket: Descriptor, _ deadline: Int64) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 14)
        var whole = 1 << 20
        while bytes.count < whole {
            guard let count = try chunk.withUnsafeMutableBytes({ try socket.read(into: $0) }) else {
                guard Wait.forInput(socket, until: deadline) else {
                    throw Failure(description: "no whole answer in time")
                }
                continue
            }
            if count == 0 { break }
            bytes += chunk[..<count]
            if let head = head(bytes), let length = length(head) { whole = min(1 << 20, head.utf8.count + 4 + length) }
        }
        return bytes
    }

    private static func head(_ bytes: [UInt8]) -> String? {
        let text = String(decoding: bytes.prefix(16_384), as: UTF8.self)
        return text.range(of: "\r\n\r\n").map { String(text[..<$0.lowerBound]) }
    }

    private static func length(_ head: String) -> Int? {
        head.firstMatch(of: /(?im)^content-length:\s*(\d{1,9})\s*$/).flatMap { Int($0.1) }
    }

    private static func parse(_ bytes: [UInt8], _ milliseconds: Double) throws(Failure) -> Answer {
        guard let head = head(bytes), let match = head.firstMatch(of: /^HTTP\/1\.[01] (\d{3})/),
            let status = Int(match.1)
        else {
            throw Failure(
                description: bytes.isEmpty ? "the connection was closed without an answer" : "the answer is not HTTP")
        }
        let body = String(decoding: bytes.dropFirst(head.utf8.count + 4), as: UTF8.self)
        return Answer(status: status, body: body, milliseconds: milliseconds)
    }
}
