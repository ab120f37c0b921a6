import Platform
import SystemPackage

/// Who can make something come at a socket of a trial. It has a network of its own, so that an internet socket's far end is in it; but
/// either end may have been handed to a process outside, and sockets of the Unix family can be reached by a path.
final class NetworkReach {
    private let observation: Observation
    private let open: OpenDescriptors
    /// The inodes of connections' far ends by those of the near ones.
    private lazy var farEnds = observation.farEnds()

    init(_ observation: Observation, _ open: OpenDescriptors) {
        self.observation = observation
        self.open = open
    }

    /// The names of a socket and of what it is connected with, where only processes of the trial have these; nil where others may.
    func ends(of socket: Descriptor, _ link: String) -> Set<String>? {
        guard let inode = UInt32(link.dropFirst("socket:[".count).dropLast()) else { return nil }
        switch socket.peer {
        case .other, .internet(isSettled: false), .local(.anybody): return nil
        case .local(.network): return [link]
        case .internet(isSettled: true):
            if socket.isListening { return [link] }
            // One whose far end is closed is sent nothing any more.
            guard let far = farEnds[inode], far != 0 else { return socket.isHalfClosed ? [link] : nil }
            return held(far, beside: link)
        case .local(.peer):
            guard let sockets = observation.sockets else { return nil }
            switch sockets.peer(of: UInt64(inode)) {
            case .socket(let peer): return held(UInt32(truncatingIfNeeded: peer), beside: link)
            case .none: return [link]
            case .unknown: return nil
            }
        }
    }

    private func held(_ far: UInt32, beside link: String) -> Set<String>? {
        let other = "socket:[\(far)]"
        return open.holders(of: other).isEmpty ? nil : [link, other]
    }
}
