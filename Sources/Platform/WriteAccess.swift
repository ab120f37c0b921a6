import CSyscall
import Glibc
public import SystemPackage

/// Who else can change a file or a directory: its owner, its group, everybody, and who its access list names.
public enum WriteAccess {
    /// What lets somebody else write.
    public enum Stranger: Sendable, Equatable {
        /// It belongs to this user.
        case owner(UInt32)
        /// Its permissions let this group write, which has members.
        case group(UInt32)
        /// Its permissions let everybody write.
        case everybody
        /// Its access list lets a user write.
        case listedUser(UInt32)
        /// Its access list lets a group write.
        case listedGroup(UInt32)
    }

    /// The first one who can write to what is under this name; nil when only the trusted users can. A symbolic link is looked at
    /// itself: whoever owns it, only its directory's writers can replace it.
    /// - Parameters:
    ///   - status: what is there.
    ///   - trusted: numbers of users who may write.
    /// - Throws: the errno with which it could not be looked at.
    public static func stranger(
        at path: String, _ status: FileStatus, trusted: Set<UInt32>
    ) throws(Errno) -> Stranger? {
        if !trusted.contains(status.user) { return status.kind == .link ? nil : .owner(status.user) }
        guard status.kind != .link else { return nil }
        if status.mode & 0o002 != 0 { return .everybody }
        // Where there is an access list these bits are its mask: without them nobody that it names can write.
        guard status.mode & 0o020 != 0 else { return nil }
        let list = try accessList(path)
        if list.isEmpty { return hasStrangers(status.group, trusted) ? .group(status.group) : nil }
        for entry in list where entry.permissions & 2 != 0 {
            switch entry.tag {
            case AccessEntry.user where !trusted.contains(entry.id): return .listedUser(entry.id)
            case AccessEntry.owningGroup where hasStrangers(status.group, trusted): return .group(status.group)
            case AccessEntry.group where hasStrangers(entry.id, trusted): return .listedGroup(entry.id)
            default: break
            }
        }
        return nil
    }

    private struct AccessEntry {
        static let user: UInt16 = 0x02
        static let owningGroup: UInt16 = 0x04
        static let group: UInt16 = 0x08
        var tag: UInt16
        var permissions: UInt16
        var id: UInt32
    }

    /// The entries of the access list, `acl(5)`, as the kernel keeps them: a version, then tag, permissions and number of each.
    private static func accessList(_ path: String) throws(Errno) -> [AccessEntry] {
        guard let bytes = try FileStatus.attribute(path, "system.posix_acl_access") else { return [] }
        func number(_ place: Int, _ size: Int) -> UInt32 {
            (0..<size).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) }
        }
        return stride(from: 4, through: bytes.count - 8, by: 8).map { place in
            AccessEntry(
                tag: UInt16(number(place, 2)), permissions: UInt16(number(place + 2, 2)), id: number(place + 4, 4))
        }
    }

    /// Whether anybody but trusted users is in a group. The group of root is root's.
    private static func hasStrangers(_ group: UInt32, _ trusted: Set<UInt32>) -> Bool {
        if group == 0 { return false }
        guard let entry = getgrgid(group) else {
            // Who has a group that is not written down nobody can tell.
            return true
        }
        var place = entry.pointee.gr_mem
        while let name = place?.pointee {
            guard let user = getpwnam(name), trusted.contains(user.pointee.pw_uid) else { return true }
            place = place?.advanced(by: 1)
        }
        setpwent()
        defer { endpwent() }
        while let user = getpwent() {
            if user.pointee.pw_gid == group, !trusted.contains(user.pointee.pw_uid) { return true }
        }
        return false
    }

    /// The users who count as this process's own: itself, root, and in a user namespace whoever has no number in it, which is
    /// how the owners of the world outside appear there.
    public static func trustedHere() -> Set<UInt32> {
        var trusted: Set<UInt32> = [0, geteuid()]
        let map = ProcFile.text("/proc/self/uid_map")?.split(whereSeparator: \.isWhitespace) ?? []
        if map != ["0", "0", "4294967295"], let number = ProcFile.text("/proc/sys/kernel/overflowuid") {
            trusted.insert(UInt32(number.prefix { $0.isNumber }) ?? 65_534)
        }
        return trusted
    }

    /// A user's name, or the number where there is none.
    public static func name(ofUser user: UInt32) -> String {
        getpwuid(user).map { String(cString: $0.pointee.pw_name) } ?? "\(user)"
    }

    /// A group's name, or the number where there is none.
    public static func name(ofGroup group: UInt32) -> String {
        getgrgid(group).map { String(cString: $0.pointee.gr_name) } ?? "\(group)"
    }
}
