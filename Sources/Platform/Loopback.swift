import CSyscall
import Glibc
public import SystemPackage

extension Descriptor {
    /// A connection to a port of the loopback address, in non-blocking mode.
    /// - Parameter deadline: when to give up, as `Clock.now()` counts.
    /// - Throws: the errno of the call that failed; `ETIMEDOUT` when nobody answered in time.
    public static func connect(loopbackPort port: Int, until deadline: Int64) throws(Errno) -> Descriptor {
        let made = Descriptor(
            owning: try check(socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)))
        try made.setNonBlocking()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port)).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(made.raw, $0, size) }
        }
        // An interrupted connect goes on by itself, as one in progress does.
        if result < 0, errno != EINPROGRESS, errno != EINTR { throw Errno(rawValue: errno) }
        guard result == 0 || Wait.forInput(made, until: deadline, forWriting: true) else { throw Errno.timedOut }
        var failure: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        try check(getsockopt(made.raw, SOL_SOCKET, SO_ERROR, &failure, &length))
        if failure != 0 { throw Errno(rawValue: failure) }
        return made
    }
}
