import CSyscall
import Glibc
public import SystemPackage

/// One end of a socket pair that keeps messages apart and carries descriptors, `SOCK_SEQPACKET`.
public struct PacketSocket: Sendable {
    /// For a poller, and for handing to a child.
    public let descriptor: Descriptor

    /// Two connected ends.
    public static func pair() throws(Errno) -> (PacketSocket, PacketSocket) {
        var ends: [Int32] = [0, 0]
        try check(socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends))
        return (
            PacketSocket(descriptor: Descriptor(owning: ends[0])), PacketSocket(descriptor: Descriptor(owning: ends[1]))
        )
    }

    /// Has the kernel say with each message that is received here who sent it, by its id in our own pid namespace.
    public func nameSenders() throws(Errno) { try check(fracas_name_senders(descriptor.raw)) }

    /// Sends one message of plain data with up to four descriptors.
    public func send<Message: BitwiseCopyable>(_ message: Message, descriptors: [Descriptor] = []) throws(Errno) {
        let numbers = descriptors.map(\.raw)
        var copy = message
        let length = MemoryLayout<Message>.size
        try check(
            withUnsafeBytes(of: &copy) {
                fracas_send(descriptor.raw, $0.baseAddress, length, numbers, Int32(numbers.count))
            })
        withExtendedLifetime(descriptors) {}
    }

    /// What `receive` found.
    public enum Received<Message: BitwiseCopyable> {
        /// A message, the descriptors that came with it, and who sent it where the socket says that, else 0.
        case message(Message, [Descriptor], sender: Int32)
        /// Nothing is there yet.
        case nothing
        /// The other end is gone.
        case end
    }

    /// Waits for one message of any bytes, without descriptors. Blocks the calling thread.
    /// - Returns: the message, cut to so many bytes; empty when the other end is gone, nil when none has come within the time.
    public func receiveBytes(atMost count: Int, within milliseconds: Int32) throws(Errno) -> [UInt8]? {
        let deadline = Clock.now() + Int64(milliseconds) * 1_000_000
        while true {
            var entry = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
            let left = Int32(max(0, (deadline - Clock.now()) / 1_000_000))
            let ready = poll(&entry, 1, left)
            if ready == 0 { return nil }
            if ready < 0 {
                guard errno == EINTR else { throw Errno(rawValue: errno) }
                continue
            }
            var bytes = [UInt8](repeating: 0, count: count)
            let length = recv(descriptor.raw, &bytes, count, Int32(MSG_DONTWAIT))
            if length >= 0 { return Array(bytes.prefix(length)) }
            if errno == ECONNRESET { return [] }
            guard errno == EINTR || errno == EAGAIN else { throw Errno(rawValue: errno) }
        }
    }

    /// Takes one message if one is there; never blocks.
    public func receive<Message: BitwiseCopyable>(_ empty: Message) throws(Errno) -> Received<Message> {
        var message = empty
        var numbers: [Int32] = [0, 0, 0, 0]
        var count: Int32 = 0
        var sender: Int32 = 0
        let length = withUnsafeMutableBytes(of: &message) {
            fracas_receive(descriptor.raw, $0.baseAddress, $0.count, &numbers, &count, &sender)
        }
        if length == 0 || (length < 0 && errno == ECONNRESET) { return .end }
        if length < 0 {
            guard errno == EAGAIN || errno == EINTR else { throw Errno(rawValue: errno) }
            return .nothing
        }
        return .message(message, numbers[..<Int(count)].map { Descriptor(owning: $0) }, sender: sender)
    }
}
