import CSyscall

/// Tells which socket of the Unix family is at the other end of another, `sock_diag(7)`, within the network that it was made in. Used by
/// one thread at a time.
public final class SocketPeers {
    /// What is known of a socket's other end.
    public enum Peer: Equatable, Sendable {
        /// The socket with this inode.
        case socket(UInt64)
        /// None yet: it is not connected, or not accepted.
        case none
        /// It is no socket of the Unix family, or not of this network.
        case unknown
    }

    private let netlink: Descriptor
    private var sequence: UInt32 = 0
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)

    /// Asks through this socket, of `NETLINK_SOCK_DIAG`.
    public init?(_ netlink: Descriptor) {
        guard (try? netlink.setNonBlocking()) != nil else { return nil }
        self.netlink = netlink
    }

    deinit { buffer.deallocate() }

    /// Whether this kernel tells at all (`CONFIG_UNIX_DIAG`).
    public static let areTold: Bool = {
        guard let netlink = try? Descriptor.socketDiagnosis(), let peers = SocketPeers(netlink),
            let pair = try? Descriptor.socketPair(), let inode = pair.0.inode, let other = pair.1.inode
        else { return false }
        return peers.peer(of: inode) == .socket(other)
    }()

    private static let byFamily: UInt16 = 20
    private static let requestLength = 40

    /// What is at the other end of the socket with this inode.
    public func peer(of inode: UInt64) -> Peer {
        sequence &+= 1
        // struct nlmsghdr, then struct unix_diag_req: every state, this inode, its peer, whatever its cookie.
        var request: [UInt8] = []
        func put(_ value: UInt32) { withUnsafeBytes(of: value) { request += $0 } }
        put(UInt32(Self.requestLength))
        put(UInt32(Self.byFamily) | 1 << 16)
        put(sequence)
        put(0)
        put(1)
        put(.max)
        put(UInt32(truncatingIfNeeded: inode))
        put(4)
        put(.max)
        put(.max)
        guard (try? netlink.writeAll(request)) != nil else { return .unknown }
        // The kernel has answered when the request was sent.
        while let count = try? netlink.read(into: buffer), count >= 16 {
            guard word(8) == sequence else { continue }
            guard UInt16(truncatingIfNeeded: word(4)) == Self.byFamily else { return .unknown }
            return peer(in: count)
        }
        return .unknown
    }

    private func word(_ offset: Int) -> UInt32 { buffer.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }

    /// The attribute `UNIX_DIAG_PEER` (2) behind `struct unix_diag_msg`.
    private func peer(in count: Int) -> Peer {
        var place = 32
        while place + 8 <= count {
            let (length, kind) = (Int(word(place) & 0xFFFF), word(place) >> 16)
            if kind == 2 { return word(place + 4) == 0 ? .none : .socket(UInt64(word(place + 4))) }
            guard length >= 4 else { break }
            place += (length + 3) & ~3
        }
        return .none
    }
}
