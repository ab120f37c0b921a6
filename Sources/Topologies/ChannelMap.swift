public import Platform
public import Scenarios

/// Finds which named channel a descriptor belongs to, at the moment a process uses it: the caller has one of the channel's
/// roles, and a process with the other role holds the same pipe or the socket at the other end, or did at its exit.
public struct ChannelMap {
    private struct Use: Hashable {
        let process: Int32
        let end: Scratch.End
        /// Nil for a call that transfers nothing: it is on a socket's two directions at once.
        let isWrite: Bool?
    }

    /// Who tells which sockets belong together; nil where nobody does.
    public var peers: SocketPeers?
    /// Whether a process with a channel's role has used a socket, and nobody could tell what is at its other end.
    public private(set) var hasUntoldSockets = false
    private let channels: [Topology.Channel]
    private var found: [Use: Int] = [:]
    private var notFound: [Use: Int] = [:]
    private var order: [String: [String]] = [:]

    /// A map for a topology's channels.
    public init(_ channels: [Topology.Channel]) { self.channels = channels }

    /// The channel that `process` reads from or writes to by this descriptor, by its place in the topology; nil when it is none
    /// that the topology names. `isWrite` is nil for a call that transfers nothing.
    public mutating func channel(
        of process: TrackedProcess, descriptor: Int32, isWrite: Bool?, in table: ProcessTable, _ scratch: Scratch
    ) -> Int? {
        guard !channels.isEmpty, let role = process.role,
            let end = scratch.end(of: process.hostPid, descriptor: descriptor)
        else { return nil }
        let isWrite = end.isSocket ? isWrite : isWrite ?? Self.isOpenForWriting(descriptor, of: process)
        let use = Use(process: process.hostPid, end: end, isWrite: isWrite)
        if let channel = found[use] { return channel }
        // A peer may yet be born, or be given its role, so "none" holds only until then.
        if notFound[use] == table.generation { return nil }
        guard let other = otherEnd(of: end, use, role, table.generation) else { return nil }
        let object = "pipe:[\(end.inode)]"
        guard end.isSocket || !process.streams.values.contains(object) else { return nil }
        for (index, channel) in channels.enumerated() {
            for isWrite in isWrite.map({ [$0] }) ?? [true, false] {
                guard (isWrite ? channel.writer : channel.reader).matches(role) else { continue }
                let peers = table.all(isWrite ? channel.reader : channel.writer)
                for peer in peers where peer !== process && Self.holds(peer, other) {
                    // The two ends of a socket are one thing.
                    let thing = min(Self.name(end), other) + max(Self.name(end), other)
                    guard isNth(thing, of: channel, between: process, and: peer) else { continue }
                    found[use] = index
                    return index
                }
            }
        }
        notFound[use] = table.generation
        return nil
    }

    private static func name(_ end: Scratch.End) -> String { "\(end.isSocket ? "socket" : "pipe"):[\(end.inode)]" }

    /// What a process at the other end has open: the pipe itself, or another socket. Nil where there is none.
    private mutating func otherEnd(of end: Scratch.End, _ use: Use, _ role: Role, _ generation: Int) -> String? {
        guard end.isSocket else { return Self.name(end) }
        guard let peers else {
            if channels.contains(where: { $0.writer.matches(role) || $0.reader.matches(role) }) {
                hasUntoldSockets = true
            }
            return nil
        }
        switch peers.peer(of: end.inode) {
        case .socket(let inode): return Self.name(Scratch.End(inode: inode, isSocket: true))
        // It may yet be connected.
        case .none: return nil
        case .unknown:
            notFound[use] = generation
            return nil
        }
    }

    /// What a process wrote can be read when it has ended, so one that has counts by what it held then.
    private static func holds(_ process: TrackedProcess, _ object: String) -> Bool {
        process.hasExited || process.exitCode != nil
            ? process.heldAtExit.contains(object) : process.descriptors().values.contains(object)
    }

    private mutating func isNth(
        _ object: String, of channel: Topology.Channel, between caller: TrackedProcess, and peer: TrackedProcess
    ) -> Bool {
        guard let index = channel.index else { return true }
        let key = "\(channel.name) \(min(caller.pid, peer.pid)) \(max(caller.pid, peer.pid))"
        if order[key]?.contains(object) != true { order[key, default: []].append(object) }
        return order[key]?.firstIndex(of: object) == index
    }

    /// The live processes other than `process` that hold the same object open for the same direction as its descriptor.
    public func otherHolders(
        of descriptor: Int32, in process: TrackedProcess, table: ProcessTable
    ) -> [TrackedProcess] {
        let path = "/proc/\(process.hostPid)"
        guard let object = ProcFile.link("\(path)/fd/\(descriptor)"),
            let access = Self.access("\(path)/fdinfo/\(descriptor)")
        else { return [] }
        return table.all.filter { other in
            guard other !== process, !other.hasExited else { return false }
            return other.descriptors().contains { number, link in
                link == object && Self.access("/proc/\(other.hostPid)/fdinfo/\(number)") == access
            }
        }
    }

    /// Whether a process has a descriptor open for writing only, as the end of a pipe that is written to.
    private static func isOpenForWriting(_ descriptor: Int32, of process: TrackedProcess) -> Bool {
        access("/proc/\(process.hostPid)/fdinfo/\(descriptor)") == 1
    }

    private static func access(_ path: String) -> Int? {
        guard let text = ProcFile.text(path), let flags = ProcFile.field("flags:", in: text) else { return nil }
        return Int(flags, radix: 8).map { $0 & 3 }
    }
}
