import CSyscall
import Glibc
public import SystemPackage

extension Files {
    /// Removes a directory with everything in it, following no link; that it is not there is no error.
    public static func removeTree(_ path: String) throws(Errno) {
        guard let status = try FileStatus(path) else { return }
        guard status.kind == .directory else { return try remove(path) }
        if status.mode & 0o700 != 0o700 { try setMode(path, status.mode | 0o700) }
        try removeContents(path)
        do { try again { rmdir(path) } } catch { if error != .noSuchFileOrDirectory { throw error } }
    }

    private static func removeContents(_ path: String) throws(Errno) {
        let names: [[UInt8]]
        do { names = try open(path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW).names() } catch {
            if error == .noSuchFileOrDirectory { return }
            throw error
        }
        for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            if let text = String(validating: name, as: UTF8.self) {
                try removeTree("\(path)/\(text)")
            } else {
                try removeUnnamed(name.map(CChar.init(bitPattern:)) + [0], in: path)
            }
        }
    }

    /// Likewise what has a name that is no text, by its bytes.
    private static func removeUnnamed(_ name: [CChar], in path: String) throws(Errno) {
        let directory = try open(path, flags: O_RDONLY | O_DIRECTORY)
        do {
            try again { unlinkat(directory.raw, name, 0) }
            return
        } catch { guard error == .isDirectory || error == .notPermitted else { throw error } }
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        let inner = Descriptor(owning: try again { fracas_openat(directory.raw, name, flags) })
        try removeContents("/proc/self/fd/\(inner.raw)/.")
        try again { unlinkat(directory.raw, name, AT_REMOVEDIR) }
    }

    /// Removes what can be removed of a directory, following no link and entering no other mount: its content would be lost where it
    /// belongs.
    /// - Returns: what is still there, and why: only that by which everything above it is kept; empty when all is gone.
    public static func clear(_ path: String) -> [(path: String, error: Errno)] {
        let facts: FileFacts
        do {
            guard let found = try FileFacts(path) else { return [] }
            facts = found
        } catch { return [(path, error)] }
        if facts.isMount == true { return [(path, .resourceBusy)] }
        var left: [(path: String, error: Errno)] = []
        if facts.isDirectory {
            // Where that is not ours to do, what is in it says so.
            if facts.mode & 0o700 != 0o700 { try? setMode(path, facts.mode | 0o700) }
            do {
                for name in try open(path, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW).names() {
                    if let text = String(validating: name, as: UTF8.self) {
                        left += clear("\(path)/\(text)")
                    } else {
                        do { try removeUnnamed(name.map(CChar.init(bitPattern:)) + [0], in: path) } catch {
                            left.append((path, error))
                        }
                    }
                }
            } catch { left.append((path, error)) }
            guard left.isEmpty else { return left }
        }
        do { try again { facts.isDirectory ? rmdir(path) : unlink(path) } } catch {
            if error != .noSuchFileOrDirectory { left.append((path, error)) }
        }
        return left
    }
}
