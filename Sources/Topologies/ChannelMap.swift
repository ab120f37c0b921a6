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
        let object = Self.name(end)
        guard mayBeOnOne(role, isWrite), end.isSocket || !process.streams.values.contains(object) else {
            notFound[use] = table.generation
            return nil
        }
        let other = otherEnd(of: end, descriptor, in: process, table)
        for (index, channel) in channels.enumerated() {
            for isWrite in isWrite.map({ [$0] }) ?? [true, false] {
                guard (isWrite ? channel.writer : channel.reader).matches(role) else { continue }
                let peers = table.all(isWrite ? channel.reader : channel.writer)
                for peer in peers where peer !== process && Self.holds(peer, other) {
                    guard isNth(other.thing(with: object), of: channel, between: process, and: peer) else { continue }
                    // Who listens may hand what it accepts to somebody else.
                    if case .listener = other { return index }
                    found[use] = index
                    return index
                }
            }
        }
        // A socket may yet be connected, or be accepted.
        if case .object = other { notFound[use] = table.generation }
        if case .nothing(mayCome: false) = other { notFound[use] = table.generation }
        return nil
    }

    private func mayBeOnOne(_ role: Role, _ isWrite: Bool?) -> Bool {
        channels.contains { channel in
            isWrite != false && channel.writer.matches(role) || isWrite != true && channel.reader.matches(role)
        }
    }

    /// What is at the other end of a pipe or socket.
    private enum Other {
        /// What a process there has open: the pipe itself, or another socket.
        case object(String)
        /// A process that listens and has not accepted yet.
        case listener(TrackedProcess)
        case nothing(mayCome: Bool)

        /// The two ends of a socket are one thing.
        func thing(with own: String) -> String {
            if case .object(let other) = self { min(own, other) + max(own, other) } else { own }
        }
    }

    private static func holds(_ process: TrackedProcess, _ other: Other) -> Bool {
        switch other {
        case .object(let object): holds(process, object)
        case .listener(let listener): process === listener
        case .nothing: false
        }
    }

    private mutating func otherEnd(
        of end: Scratch.End, _ descriptor: Int32, in process: TrackedProcess, _ table: ProcessTable
    ) -> Other {
        guard end.isSocket else { return .object(Self.name(end)) }
        guard let peers else {
            hasUntoldSockets = true
            return .nothing(mayCome: false)
        }
        switch peers.peer(of: end.inode) {
        case .socket(let inode): return .object(Self.name(Scratch.End(inode: inode, isSocket: true)))
        case .unknown:
            if (try? process.handle?.duplicate(descriptor).isUnix) == true { hasUntoldSockets = true }
            return .nothing(mayCome: false)
        case .none:
            if let socket = try? process.handle?.duplicate(descriptor), let host = socket.peerProcess,
                let listener = table.process(of: host), listener !== process
            {
                return .listener(listener)
            }
            return .nothing(mayCome: true)
        }
    }

    private static func name(_ end: Scratch.End) -> String { "\(end.isSocket ? "socket" : "pipe"):[\(end.inode)]" }

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
