import Glibc
import Platform
import SystemPackage

/// Space and files that are kept for the way back: a rollback that copies nothing still writes a journal and a manifest, and on a disk
/// where nothing is left there would be no room for either. Given up when it is needed, taken again when there is plenty.
struct Reserve {
    let tree: DeploymentTree
    private var directory: String { "\(tree.directory)/.reserve" }
    private var ballast: String { "\(directory)/bytes" }
    private static let files = 12
    /// A journal, a record, a log and a report, and a manifest's lines.
    private static let least: Int64 = 128 << 10
    private static let most: Int64 = 64 << 20

    /// Whether a few small files would not fit.
    private var isShort: Bool {
        guard let room = try? Files.room(tree.directory) else { return false }
        return room.free < Self.least || room.files ?? .max < Int64(Self.files)
    }

    /// Gives it up where it is needed.
    /// - Returns: whether it was.
    @discardableResult
    func release() -> Bool {
        guard isShort, (try? FileFacts(directory)) != nil else { return false }
        return (try? Files.removeTree(directory)) != nil
    }

    /// Takes it, where that leaves three times as much; that it cannot be had fails nothing.
    /// - Parameter backup: the name of one whose manifest is as long as that of what a rollback would put aside.
    func fill(like backup: String?) {
        let manifest = backup.flatMap { try? FileStatus("\(tree.backups)/\($0)/manifest.json")?.size } ?? 0
        let bytes = min(Self.most, Self.least + 2 * manifest)
        guard let room = try? Files.room(tree.directory), room.free > 4 * bytes,
            room.files ?? .max > 4 * Int64(Self.files)
        else { return }
        do {
            if let facts = try FileFacts(ballast), facts.size >= bytes { return }
            try Files.removeTree(directory)
            try Files.makeDirectory(directory, mode: 0o700)
            for number in 1..<Self.files {
                _ = try Files.open("\(directory)/\(number)", flags: O_WRONLY | O_CREAT, mode: 0o600)
            }
            let file = try Files.open(ballast, flags: O_WRONLY | O_CREAT, mode: 0o600)
            try Files.allocate(file, bytes)
        } catch { try? Files.removeTree(directory) }
    }
}
