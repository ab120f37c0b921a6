import Foundation
import Glibc
import Platform
import SystemPackage

/// Who listens where a connection to the loopback address ends, `proc(5)`.
package struct PortOwner {
    /// A socket that listens.
    package struct Listener: Equatable {
        package var inode: UInt64
        /// Who made it.
        package var user: UInt32
    }

    let port: Int

    /// The sockets one of which takes a connection to 127.0.0.1; several of them share the port (`SO_REUSEPORT`).
    /// - Returns: nil when this system does not say.
    func listeners() -> [Listener]? {
        let texts = ["tcp", "tcp6"].map { ProcFile.text("/proc/net/\($0)") }
        guard texts.contains(where: { $0 != nil }) else { return nil }
        return Self.answering(port, texts[0] ?? "", texts[1] ?? "")
    }

    /// What the text of `/proc/net/tcp` and of `/proc/net/tcp6` says: the kernel prefers an exact address to any, and a socket of
    /// the older family to one of both.
    package static func answering(_ port: Int, _ old: String, _ new: String) -> [Listener] {
        let places = [
            (old, "0100007F"), (new, "0000000000000000FFFF00000100007F"), (old, "00000000"),
            (new, "00000000000000000000000000000000"),
        ]
        for (text, address) in places {
            let found = listeners(text, address, port)
            if !found.isEmpty { return found }
        }
        return []
    }

    private static func listeners(_ text: String, _ address: String, _ port: Int) -> [Listener] {
        let digits = String(port, radix: 16, uppercase: true)
        let wanted = address + ":" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return text.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            // The fourth is the state, of which 0A is TCP_LISTEN.
            guard fields.count > 9, fields[1] == wanted, fields[3] == "0A", let user = UInt32(fields[7]),
                let inode = UInt64(fields[9])
            else { return nil }
            return Listener(inode: inode, user: user)
        }
    }

    /// Which of these processes hold which of these sockets open.
    /// - Returns: the holders of each, and whether there was a process whose descriptors we may not see.
    static func holders(of listeners: [Listener], among pids: [Int32]) -> (found: [UInt64: [Int32]], isHidden: Bool) {
        let names = Dictionary(listeners.map { ("socket:[\($0.inode)]", $0.inode) }, uniquingKeysWith: { $1 })
        var found: [UInt64: [Int32]] = [:]
        var isHidden = false
        for pid in pids {
            let directory = "/proc/\(pid)/fd"
            guard access(directory, R_OK) == 0 else {
                // A process that is gone hides nothing.
                if errno == EACCES || errno == EPERM { isHidden = true }
                continue
            }
            for number in ProcFile.numbers(directory) {
                guard let link = ProcFile.link("\(directory)/\(number)"), let inode = names[link] else { continue }
                if found[inode]?.last != pid { found[inode, default: []].append(pid) }
            }
        }
        return (found, isHidden)
    }

    /// The processes that listen, whoever they are.
    func owners() -> (pids: [Int32], listeners: [Listener], isHidden: Bool) {
        guard let listeners = listeners(), !listeners.isEmpty else { return ([], [], false) }
        let (found, isHidden) = Self.holders(of: listeners, among: ProcFile.numbers("/proc"))
        let isMissing = listeners.contains { found[$0.inode] == nil }
        return (Set(found.values.flatMap(\.self)).sorted(), listeners, isHidden && isMissing)
    }

    /// Those who listen, for an operator; nil when nobody does.
    func described() -> String? {
        let (pids, listeners, isHidden) = owners()
        if listeners.isEmpty { return nil }
        let known = pids.prefix(5).map(Processes.described)
        if known.isEmpty || isHidden {
            let users = Set(listeners.map(\.user)).sorted().map(String.init).joined(separator: ", ")
            return
                (known + [
                    "a process of user \(users) that user \(geteuid()) may not look at: call this as root to see which"
                ]).joined(separator: "; ")
        }
        return known.joined(separator: "; ")
    }

    /// Whether somebody takes a connection. Only for a port that a service manager does not hold open for its service: that would
    /// start it.
    func isTaken() -> Bool {
        let deadline = Clock.now() + 1_000_000_000
        do {
            _ = try Descriptor.connect(loopbackPort: port, until: deadline)
            return true
        } catch { return error != .connectionRefused }
    }
}
