import Glibc
public import SystemPackage

extension Files {
    /// Makes a directory, with the permissions that the user's mask leaves.
    /// - Throws: `EEXIST` when something has that name: of several who try, one makes it.
    public static func makeNewDirectory(_ path: String) throws(Errno) {
        while true {
            do {
                try check(mkdir(path, 0o777))
                return
            } catch { if error != .interrupted { throw error } }
        }
    }

    /// Makes a directory and those above it, where they are missing, likewise.
    /// - Throws: `ENOTDIR` when one of them is something else.
    public static func makeDirectories(_ path: String) throws(Errno) {
        do {
            try makeNewDirectory(path)
        } catch {
            switch error {
            case .noSuchFileOrDirectory:
                let above = parent(of: path)
                guard above != path else { throw error }
                try makeDirectories(above)
                try makeDirectories(path)
            case .fileExists:
                // A link to a directory is as good as one.
                let isDirectory = access("\(path)/.", F_OK) == 0
                if !isDirectory { throw .notDirectory }
            default: throw error
            }
        }
    }
}
