import CSyscall
import Glibc
public import SystemPackage

/// What a name in a directory is, `lstat(2)`: links are never followed.
public struct FileStatus: Sendable, Hashable {
    /// What kind of thing it is.
    public enum Kind: String, Sendable {
        /// A regular file.
        case file
        /// A directory.
        case directory
        /// A symbolic link.
        case link
        /// A device, socket or pipe.
        case special
    }

    /// What kind of thing it is.
    public let kind: Kind
    /// The file system it is on.
    public let device: UInt64
    /// Its number there: it keeps it when it is renamed.
    public let inode: UInt64
    /// Permissions, with the setuid, setgid and sticky bits.
    public let mode: UInt32
    /// Bytes.
    public let size: Int64
    /// The owner.
    public let user: UInt32
    /// The owning group.
    public let group: UInt32
    /// When its content last changed, seconds since 1970.
    public let modified: Int64
    /// Nanoseconds within that second.
    public let modifiedNanoseconds: Int64
    /// When anything about it last changed, nanoseconds since 1970.
    public let changed: Int64

    /// Looks a path up; nil when nothing is there.
    /// - Throws: the errno of `lstat(2)` otherwise.
    public init?(_ path: String) throws(Errno) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return nil }
            throw Errno(rawValue: errno)
        }
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .directory
            case S_IFLNK: .link
            default: .special
            }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        mode = UInt32(status.st_mode & 0o7777)
        size = Int64(status.st_size)
        user = status.st_uid
        group = status.st_gid
        modified = Int64(status.st_mtim.tv_sec)
        modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
        changed = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
    }
}

/// Changes to files that must be on disk when they are reported done. Every call begins anew when a signal interrupts it, but
/// for an exchange: twice done it would be undone, so its caller looks what came of it.
public enum Files {
    /// Makes a directory with exactly these permissions.
    public static func makeDirectory(_ path: String, mode: UInt32) throws(Errno) {
        try again { mkdir(path, mode) }
        try again { chmod(path, mode) }
    }

    /// Makes a directory and those above it, where they are missing.
    public static func makeDirectories(_ path: String, mode: UInt32) throws(Errno) {
        if try FileStatus(path) != nil { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeDirectories(String(path[..<slash]), mode: mode)
        }
        try makeDirectory(path, mode: mode)
    }

    /// Makes a symbolic link.
    public static func makeLink(_ path: String, to target: String) throws(Errno) { try again { symlink(target, path) } }

    /// Gives a path its permissions.
    public static func setMode(_ path: String, _ mode: UInt32) throws(Errno) { try again { chmod(path, mode) } }

    /// Says when a path, itself and not what it may point at, was last changed.
    public static func setModified(_ path: String, seconds: Int64, nanoseconds: Int64 = 0) throws(Errno) {
        // UTIME_OMIT: the time of the last look at it stays.
        let times = [
            timespec(tv_sec: 0, tv_nsec: 0x3fff_fffe), timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds)),
        ]
        try again { utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) }
    }

    /// Gives a path, itself and not what it may point at, its owners.
    public static func setOwner(_ path: String, user: UInt32, group: UInt32) throws(Errno) {
        try again { lchown(path, user, group) }
    }

    /// Brings what happened to the names in a directory to the disk.
    public static func sync(directory path: String) throws(Errno) {
        let directory = try open(path, flags: O_RDONLY | O_DIRECTORY)
        try sync(directory)
    }

    /// Brings a file to the disk.
    public static func sync(_ file: Descriptor) throws(Errno) { try again { fsync(file.raw) } }

    /// Gives a file this size, and the blocks for it.
    public static func allocate(_ file: Descriptor, _ bytes: Int64) throws(Errno) {
        let error = posix_fallocate(file.raw, 0, off_t(bytes))
        if error != 0 { throw Errno(rawValue: error) }
    }

    /// Opens a file.
    public static func open(_ path: String, flags: Int32, mode: UInt32 = 0) throws(Errno) -> Descriptor {
        Descriptor(owning: try again { fracas_open(path, flags, Int32(mode)) })
    }

    /// Writes a new file and brings it to the disk; its name is there only when its directory was synced.
    public static func write(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(Errno) {
        let file = try open(path, flags: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode)
        try again { fchmod(file.raw, mode) }
        try file.writeAll(bytes)
        try sync(file)
    }

    /// Puts a file in a name's place, on disk when this returns: whoever reads finds the old one or the new one.
    public static func replace(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(Errno) {
        do {
            try write(path + ".new", bytes, mode: mode)
            try rename(path + ".new", path)
        } catch {
            // What could not be written whole, on a full disk say, is of no use to anybody.
            unlink(path + ".new")
            throw error
        }
        try sync(directory: parent(of: path))
    }

    /// Renames, over what has the new name.
    public static func rename(_ from: String, _ to: String) throws(Errno) { try again { fracas_rename(from, to, 0) } }

    /// Renames, where nothing has the new name.
    public static func renameNew(_ from: String, _ to: String) throws(Errno) { try check(fracas_rename(from, to, 1)) }

    /// Exchanges two names in one step: there is no moment at which either is missing.
    public static func exchange(_ one: String, _ other: String) throws(Errno) {
        try check(fracas_rename(one, other, 2))
    }

    /// Removes a file or a link; that it is not there is no error.
    public static func remove(_ path: String) throws(Errno) {
        do { try again { unlink(path) } } catch { if error != .noSuchFileOrDirectory { throw error } }
    }

    /// The names in a directory, sorted; none when it is not there.
    public static func entries(_ path: String) throws(Errno) -> [String] {
        do {
            return try open(path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW).entries().sorted()
        } catch {
            if error == .noSuchFileOrDirectory { return [] }
            throw error
        }
    }

    /// Bytes that an ordinary user can still write on the file system of this path, and how large it is.
    public static func space(_ path: String) throws(Errno) -> (free: Int64, total: Int64) {
        let room = try room(path)
        return (room.free, room.total)
    }

    /// Likewise with the files that can still be made there, nil where the file system has no bound, and the bytes of one block.
    public static func room(_ path: String) throws(Errno) -> (free: Int64, total: Int64, files: Int64?, block: Int64) {
        var space = statvfs()
        try again { statvfs(path, &space) }
        let unit = Int64(space.f_frsize)
        let files = space.f_files == 0 ? nil : Int64(space.f_favail)
        return (Int64(space.f_bavail) * unit, Int64(space.f_blocks) * unit, files, Int64(space.f_bsize))
    }

    /// The directory that a path is in.
    public static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Takes the lock on an open file, which ends with the file's last descriptor; `EAGAIN` when someone has it.
    public static func lock(_ file: Descriptor) throws(Errno) { try again { fracas_lock_file(file.raw) } }

    @discardableResult
    static func again(_ call: () -> Int32) throws(Errno) -> Int32 {
        while true {
            do { return try check(call()) } catch { if error != .interrupted { throw error } }
        }
    }
}

extension Descriptor {
    /// Opens a path below this directory, through no symbolic link and not out of it, `openat2(2)`.
    /// - Throws: `ELOOP` at a link, `EXDEV` at a way out, or another errno of `openat2(2)`.
    public func open(beneath path: String, flags: Int32, mode: UInt32 = 0) throws(Errno) -> Descriptor {
        while true {
            do { return Descriptor(owning: try check(fracas_open_beneath(raw, path, flags, Int32(mode)))) } catch {
                if error != .interrupted { throw error }
            }
        }
    }

    /// Gives this open file its permissions.
    public func setMode(_ mode: UInt32) throws(Errno) { try check(fchmod(raw, mode)) }
}
