import Platform
import SystemPackage

/// What can be seen of a trial's own network.
extension Observation {
    /// Whether anything may be on its way in the trial's network: an internet socket is there, be it only a closed one's last words.
    public func hasNetwork() -> Bool {
        ["sockstat", "sockstat6"].contains { name in
            guard let bytes = try? proc.open(at: "1/net/\(name)").readAll() else { return true }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains { line in
                let words = line.split(separator: " ")
                // `orphan`, `alloc` and `mem` are the whole host's.
                return zip(words, words.dropFirst()).contains { ["inuse", "tw"].contains($0) && $1 != "0" }
            }
        }
    }

    /// The sockets that take TCP connections: on which port, and their inodes.
    public func listeners() -> [(port: Int, inode: UInt32)] {
        // 0A is TCP_LISTEN.
        connections().filter { $0.state == "0A" }.map { ($0.port, $0.inode) }
    }

    /// The inodes of TCP connections' far ends, 0 for one that nobody has open any more, by those of the near ones.
    func farEnds() -> [UInt32: UInt32] {
        let all = connections()
        let byEnds = Dictionary(all.map { ("\($0.local) \($0.remote)", $0.inode) }) { first, _ in first }
        let pairs = all.compactMap { one in byEnds["\(one.remote) \(one.local)"].map { (one.inode, $0) } }
        return Dictionary(pairs) { first, _ in first }
    }

    /// The sockets of the Unix family that take connections or datagrams at this path: their inodes.
    public func sockets(at path: String) -> [UInt32] {
        lines(of: "unix").compactMap { line in
            // Num RefCount Protocol Flags Type St Inode Path; 00010000 is a socket that listens, type 0002 one of datagrams.
            let words = line.split(separator: " ", maxSplits: 7)
            guard words.count == 8, words[3] == "00010000" || words[4] == "0002" else { return nil }
            // A process may have given it from where it stood.
            let isIt = words[7] == path || (!words[7].hasPrefix("/") && path.hasSuffix("/" + words[7]))
            return isIt ? UInt32(words[6]) : nil
        }
    }

    private struct Connection {
        let local: String
        let remote: String
        let port: Int
        let state: Substring
        let inode: UInt32
    }

    private func connections() -> [Connection] {
        ["tcp", "tcp6"].flatMap(lines).compactMap { line in
            // sl local remote st queues timer retransmits uid timeout inode
            let words = line.split(separator: " ")
            guard words.count > 9, let port = words[1].split(separator: ":").last.flatMap({ Int($0, radix: 16) }),
                let inode = UInt32(words[9])
            else { return nil }
            return Connection(
                local: Self.address(words[1]), remote: Self.address(words[2]), port: port, state: words[3],
                inode: inode)
        }
    }

    /// An IPv4 address is the same when a socket of IPv6 has it.
    private static func address(_ word: Substring) -> String {
        let mapped = "0000000000000000FFFF0000"
        return String(word.hasPrefix(mapped) ? word.dropFirst(mapped.count) : word)
    }

    private func lines(of file: String) -> [Substring] {
        guard let bytes = try? proc.open(at: "1/net/\(file)").readAll(limit: 16 << 20) else { return [] }
        return Array(String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst())
    }
}
