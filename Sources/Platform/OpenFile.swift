import CSyscall
import Glibc
public import SystemPackage

/// What can be done to an open file of another process through a duplicate of its descriptor, `pidfd_getfd(2)`.
extension ProcessHandle {
    /// A duplicate of one of the process's descriptors: the same open file.
    /// - Throws: `EBADF` when it has none of that number, `EPERM`, or `ESRCH`.
    public func duplicate(_ number: Int32) throws(Errno) -> Descriptor {
        Descriptor(owning: try check(fracas_pidfd_getfd(descriptor.raw, number)))
    }
}

extension Descriptor {
    /// Whether it is a socket.
    public var isSocket: Bool { fracas_is_socket(raw) != 0 }

    /// The address family of a socket, -1 for what is none.
    public var family: Int32 { fracas_socket_family(raw) }

    /// Whether it is a socket of the Unix family.
    public var isUnix: Bool { family == AF_UNIX }

    /// Whether receiving or sending on a socket gives up after a time.
    public var hasTimeLimit: Bool { fracas_has_time_limit(raw) != 0 }

    /// Who made the other end of a connected socket of the Unix family, in our own pid namespace, `unix(7)`; nil for none.
    public var peerProcess: Int32? {
        let process = fracas_peer_process(raw)
        return process > 0 ? process : nil
    }

    /// What is at the other end of a socket.
    public enum Peer: Sendable, Equatable {
        /// Somebody in the same network; settled when it listens, or is connected with nothing of its own on the way.
        case internet(isSettled: Bool)
        /// For a socket of the Unix family, who can reach it.
        case local(Reach)
        /// Something of which this is not known.
        case other
    }

    /// Who can reach a socket of the Unix family.
    public enum Reach: Sendable, Equatable {
        /// Whoever knows its path.
        case anybody
        /// Nobody outside of its network: it listens without a path.
        case network
        /// What it is connected with.
        case peer
    }

    /// Whether it is a socket that takes connections.
    public var isListening: Bool { fracas_is_listening(raw) != 0 }

    /// Whether the far end of a TCP connection sends no more.
    public var isHalfClosed: Bool { fracas_tcp_is_half_closed(raw) != 0 }

    /// Whether nobody has the other end of a pipe open any more.
    public var hasHungUp: Bool { fracas_has_hung_up(raw) != 0 }

    /// What is at the other end of a socket.
    public var peer: Peer {
        switch family {
        case AF_INET, AF_INET6: return .internet(isSettled: fracas_tcp_is_settled(raw) != 0)
        case AF_UNIX:
            return switch fracas_unix_reach(raw) {
            case 1: .local(.network)
            case 2: .local(.peer)
            default: .local(.anybody)
            }
        default: return .other
        }
    }

    /// Whether a read (or a write) would not have to wait.
    public func isReady(forWriting: Bool) -> Bool { fracas_is_ready(raw, forWriting ? 1 : 0) != 0 }

    /// Shuts down a half of a connected socket, `shutdown(2)`, for everyone who has it open.
    public func shutDown(receiving: Bool) throws(Errno) {
        try check(shutdown(raw, Int32(receiving ? SHUT_RD : SHUT_WR)))
    }

    /// Ends a TCP connection at once: the far end is sent a reset.
    public func disconnect() throws(Errno) { try check(fracas_disconnect(raw)) }

    /// The number of the file that is open.
    public var inode: UInt64? {
        var status = stat()
        return fstat(raw, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// A socket through which the kernel tells of the sockets of our network, `sock_diag(7)`.
    static func socketDiagnosis() throws(Errno) -> Descriptor {
        Descriptor(
            owning: try check(socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 4)))
    }

    /// Two connected stream sockets of the Unix family.
    public static func socketPair() throws(Errno) -> (Descriptor, Descriptor) {
        var ends: [Int32] = [0, 0]
        try check(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends))
        return (Descriptor(owning: ends[0]), Descriptor(owning: ends[1]))
    }
}

/// What is changed of a process from outside.
public enum ProcessLimits {
    /// Bounds the numbers of a process's new descriptors, `prlimit(2)`.
    /// - Returns: the bound there was.
    public static func boundDescriptors(of pid: Int32, to bound: Int) throws(Errno) -> Int {
        try check(fracas_limit_descriptors(pid, bound))
    }

    /// Sends a signal to one thread.
    public static func send(_ signal: Int32, toThread thread: Int32, of process: Int32) throws(Errno) {
        try check(fracas_signal_thread(process, thread, signal))
    }
}
