import Glibc
import Platform
package import SystemPackage

/// A small file that can be replaced also where no space is left: beside it lies a spare of the same size, which has had its blocks
/// from before. What is new is written over the spare, and the two names are exchanged; so there is no moment at which the file is
/// neither the old nor the new one, and the next one has a spare again. (Where what is written over needs new blocks, as on btrfs, it is
/// written all the same, but may fail for want of space.)
package struct SpareFile {
    package let path: String
    package let spare: String
    let mode: UInt32
    /// Sizes are whole numbers of these, so that what is written over is no longer than what was there.
    private static let block = 4096

    package init(path: String, spare: String, mode: UInt32) {
        self.path = path
        self.spare = spare
        self.mode = mode
    }

    /// Makes the spare where there is none that is large enough.
    package func prepare(for count: Int) throws(Errno) {
        if try size() >= count { return }
        try Files.write(spare, Self.padded([], to: count), mode: mode)
        try Files.sync(directory: Files.parent(of: spare))
    }

    /// Puts these bytes in the file's place, on disk when this returns: whoever reads finds the old ones or these, spaces behind them.
    package func replace(_ bytes: [UInt8]) throws(Errno) {
        let size = try size()
        if size >= bytes.count {
            let file = try Files.open(spare, flags: O_WRONLY | O_NOFOLLOW)
            try file.writeAll(Self.padded(bytes, to: size))
            try Files.sync(file)
        } else {
            do { try Files.write(spare, Self.padded(bytes, to: bytes.count), mode: mode) } catch {
                unlink(spare)
                throw error
            }
        }
        try exchange()
        try Files.sync(directory: Files.parent(of: path))
    }

    /// Removes both.
    package func remove() throws(Errno) {
        try Files.remove(path)
        try Files.remove(spare)
        try Files.sync(directory: Files.parent(of: path))
    }

    /// The spare's size; 0 when there is none.
    private func size() throws(Errno) -> Int {
        guard let status = try FileStatus(spare), status.kind == .file else { return 0 }
        return Int(status.size)
    }

    private func exchange() throws(Errno) {
        guard let new = try FileStatus(spare)?.inode else { throw .noSuchFileOrDirectory }
        guard try FileStatus(path) != nil else { return try Files.rename(spare, path) }
        var failure: Errno?
        do { try Files.exchange(spare, path) } catch { failure = error }
        // Whatever the call answered, what counts is what came of it.
        if try FileStatus(path)?.inode == new { return }
        // Where names cannot be exchanged the old one goes, and the next spare needs space.
        guard failure == .invalidArgument || failure == .noFunction else { throw failure ?? .ioError }
        try Files.rename(spare, path)
    }

    private static func padded(_ bytes: [UInt8], to count: Int) -> [UInt8] {
        let whole = max(1, (count + block - 1) / block) * block
        return bytes + [UInt8](repeating: 0x20, count: max(0, whole - bytes.count - 1))
            + (whole > bytes.count ? [10] : [])
    }
}
