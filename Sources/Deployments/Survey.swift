import Glibc
import Platform
import SystemPackage

/// What is below some names of a directory, as its directories and `statx(2)` say it: no file is read.
struct Survey {
    /// Bytes that a copy takes, in whole blocks.
    private(set) var bytes: Int64 = 0
    /// Files, directories and links that a copy makes.
    private(set) var files: Int64 = 0
    /// The files of them, where they were asked for.
    private(set) var paths: Set<String> = []
    /// On what something is mounted.
    private(set) var mounts: [String] = []
    /// What this user cannot remove, the first ones; all that could be seen are counted.
    private(set) var fixed: (first: [String], count: Int) = ([], 0)

    private let root: String
    private let block: Int64
    private static let shown = 3

    /// Looks at everything below the names.
    /// - Parameters:
    ///   - block: bytes of a block where the copy is made.
    ///   - covered: files, by their paths below the directory, of which no copy is made.
    ///   - listing: whether the files are to be listed.
    init(of root: String, units: [String], block: Int64, covered: Set<String> = [], listing: Bool = false)
        throws(Errno)
    {
        self.root = root
        self.block = max(block, 512)
        var pending = units
        while let path = pending.popLast() {
            guard let facts = try FileFacts("\(root)/\(path)") else { continue }
            if !covered.contains(path) {
                files += 1
                bytes += facts.isDirectory ? self.block : (facts.size + self.block - 1) / self.block * self.block
                if listing, !facts.isDirectory { paths.insert(path) }
            }
            if facts.isMount == true {
                mounts.append("\(root)/\(path)")
                continue
            }
            guard facts.isDirectory else { continue }
            pending += try look(into: path, facts)
        }
    }

    /// What a directory lists.
    private mutating func look(into path: String, _ facts: FileFacts) throws(Errno) -> [String] {
        let names: [String]
        do { names = try Files.open("\(root)/\(path)", flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW).entries() } catch {
            // A cache of another user is in nobody's way until it is to be removed; where it is to be copied it is said later.
            fix("\(root)/\(path)")
            return []
        }
        // Its owner can make it writable.
        let isOurs = geteuid() == 0 || facts.user == geteuid()
        let isOpen = isOurs || access("\(root)/\(path)", W_OK | X_OK) == 0
        for name in names {
            guard let inner = try FileFacts("\(root)/\(path)/\(name)") else { continue }
            let isSticky = facts.mode & 0o1000 != 0 && !isOurs && inner.user != geteuid()
            if !isOpen || isSticky || facts.isImmutable || inner.isImmutable { fix("\(root)/\(path)/\(name)") }
        }
        return names.map { "\(path)/\($0)" }
    }

    private mutating func fix(_ path: String) {
        fixed.count += 1
        if fixed.first.count < Self.shown { fixed.first.append(path) }
    }
}
