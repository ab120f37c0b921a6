import CSyscall
import Glibc
public import SystemPackage

/// What decides whether a name can be moved or removed: more than `FileStatus` has, by `statx(2)`. Links are never followed.
public struct FileFacts: Sendable {
    /// Whether it is a directory.
    public let isDirectory: Bool
    /// Permissions, with the setuid, setgid and sticky bits.
    public let mode: UInt32
    /// The owner.
    public let user: UInt32
    /// Bytes.
    public let size: Int64
    /// Names that it has.
    public let links: UInt32
    /// The file system it is on.
    public let device: UInt64
    /// The mount it is seen through; nil where the kernel does not say (before Linux 5.8).
    public let mount: UInt64?
    /// Whether something is mounted on it; nil where the kernel does not say.
    public let isMount: Bool?
    /// Whether it can be neither changed, renamed nor removed, by its attribute `i` or `a` of `chattr(1)`; for a directory, what is in it.
    public let isImmutable: Bool

    /// Looks a path up; nil when nothing is there.
    /// - Throws: the errno of `statx(2)` otherwise.
    public init?(_ path: String) throws(Errno) {
        var facts = fracas_facts()
        do { try Files.again { fracas_look(path, &facts) } } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw error
        }
        isDirectory = mode_t(facts.mode) & S_IFMT == S_IFDIR
        mode = UInt32(facts.mode & 0o7777)
        user = facts.user
        size = Int64(facts.size)
        links = facts.links
        device = UInt64(facts.device.0) << 32 | UInt64(facts.device.1)
        mount = facts.mask & 0x1000 != 0 ? facts.mount : nil
        isMount = facts.attributes_known & 0x2000 != 0 ? facts.attributes & 0x2000 != 0 : nil
        isImmutable = facts.attributes & 0x30 != 0
    }
}

/// Kinds of file systems, as far as it matters whether names can be exchanged on them.
public enum FileSystem {
    /// Whether two names can be exchanged in one step there; nil when only trying tells.
    public static func exchanges(_ path: String) -> Bool? {
        switch fracas_file_system(path) {
        // ext4 (and ext2, which has the same number but not the call, so it is not said), xfs, btrfs, f2fs, tmpfs, overlay, bcachefs.
        case 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994, 0x794c_7630, 0xca45_1a4e: true
        // nfs, cifs, smb2, smb, vfat, exfat, 9p, hfs+, isofs.
        case 0x6969, 0xff53_4d42, 0xfe53_4d42, 0x517b, 0x4d44, 0x2011_bab0, 0x0102_1997, 0x482b, 0x9660: false
        default: nil
        }
    }

    /// Whether it is an overlay of other file systems.
    public static func isOverlay(_ path: String) -> Bool { fracas_file_system(path) == 0x794c_7630 }
}
