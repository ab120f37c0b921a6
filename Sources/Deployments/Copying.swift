import Crypto
import Foundation
import Glibc
import Platform
import SystemPackage

/// Copying entries. What was copied is on the disk when `sync` has returned.
enum Copying {
    /// Copies entries from below one directory to below another, which must be there and have none of them yet.
    /// - Parameters:
    ///   - keepOwner: whether the copy has the owners and attributes too.
    ///   - mode: the permissions for an entry in the copy: its own, or those of a backup's.
    /// - Returns: the entries as they were copied: all, but for files of a cache that went away meanwhile or are something else now.
    /// - Throws: `DeploymentError` when something cannot be read or written, or a file is not what its entry says.
    @discardableResult
    static func copy(
        _ entries: [Entry], from source: String, to destination: String, keepOwner: Bool, mode: (Entry) -> UInt32
    ) throws(DeploymentError) -> [Entry] {
        let origin: Descriptor
        do { origin = try Files.open(source, flags: O_RDONLY | O_DIRECTORY) } catch {
            throw DeploymentError(.files, "read the directory '\(source)': \(error)")
        }
        let isRoot = geteuid() == 0
        var buffer = Buffer()
        var copied: [Entry] = []
        copied.reserveCapacity(entries.count)
        for entry in entries {
            let path = "\(destination)/\(entry.path)"
            var entry = entry
            do {
                switch entry.kind {
                // Writable for ourselves until everything is in it.
                case .directory: try Files.makeDirectory(path, mode: mode(entry) | 0o700)
                case .link: try Files.makeLink(path, to: entry.target)
                case .file:
                    guard let original = try open(entry, in: origin) else { continue }
                    let file = try Files.open(path, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
                    let written = try transfer(original, file, &buffer)
                    if written.sha256 != entry.sha256 {
                        guard Scan.isCache(entry.path) else {
                            throw DeploymentError(
                                .files,
                                "'\(source)/\(entry.path)' was changed while it was copied: stop who changes it, then try again"
                            )
                        }
                        (entry.size, entry.sha256) = written
                    }
                    // A change of the owner takes capabilities away, so they come after it.
                    if keepOwner, isRoot { try Files.setOwner(path, user: entry.user, group: entry.group) }
                    try file.setMode(mode(entry))
                    if keepOwner { try Attributes.write(entry.attributes, to: file) }
                    if let status = try FileStatus("\(source)/\(entry.path)") {
                        try file.setModified(seconds: status.modified, nanoseconds: status.modifiedNanoseconds)
                    }
                }
                if keepOwner, isRoot, entry.kind != .file {
                    try Files.setOwner(path, user: entry.user, group: entry.group)
                }
                copied.append(entry)
            } catch let error as DeploymentError { throw error } catch {
                throw DeploymentError(.files, "copy '\(source)/\(entry.path)' to '\(path)': \(error)\(remedy(error))")
            }
        }
        for entry in copied.reversed() where entry.kind != .file {
            do {
                try settle(entry, "\(source)/\(entry.path)", "\(destination)/\(entry.path)", mode(entry), keepOwner)
            } catch {
                throw DeploymentError(
                    .files, "copy '\(source)/\(entry.path)' to '\(destination)/\(entry.path)': \(error)\(remedy(error))"
                )
            }
        }
        return copied
    }

    /// Gives a directory or link what would be lost, or in the way, while something is still put into it.
    private static func settle(
        _ entry: Entry, _ source: String, _ path: String, _ mode: UInt32, _ keepAttributes: Bool
    ) throws {
        if entry.kind == .directory {
            if mode | 0o700 != mode { try Files.setMode(path, mode) }
            if keepAttributes {
                try Attributes.write(entry.attributes, to: try Files.open(path, flags: O_RDONLY | O_DIRECTORY))
            }
        }
        if let status = try FileStatus(source) {
            try Files.setModified(path, seconds: status.modified, nanoseconds: status.modifiedNanoseconds)
        }
    }

    /// Brings what was copied below a directory to the disk: by one call for its file system where the kernel reports by it what could
    /// not be written, otherwise by one for each entry.
    /// - Parameter directory: it, opened before anything was written below it.
    static func sync(_ entries: [Entry], in directory: Descriptor, _ path: String) throws(DeploymentError) {
        do {
            guard KernelVersion.running < KernelVersion(5, 8) else { return try directory.syncFileSystem() }
            for entry in entries where entry.kind != .link {
                try Files.sync(try directory.open(beneath: entry.path, flags: O_RDONLY))
            }
            try Files.sync(directory)
        } catch { throw DeploymentError(.files, "write '\(path)' to disk: \(error)\(remedy(error))") }
    }

    /// The file of an entry; nil when it is one of a cache and went away.
    private static func open(_ entry: Entry, in origin: Descriptor) throws -> Descriptor? {
        do { return try origin.open(beneath: entry.path, flags: O_RDONLY) } catch {
            if error == .noSuchFileOrDirectory, Scan.isCache(entry.path) { return nil }
            throw error
        }
    }

    /// Copies a file's content, and says what it was.
    private static func transfer(
        _ source: Descriptor, _ destination: Descriptor, _ buffer: inout Buffer
    ) throws -> (size: Int64, sha256: String) {
        var hash = SHA256()
        var size: Int64 = 0
        while let chunk = try buffer.read(source) {
            hash.update(bufferPointer: chunk)
            try destination.writeAll(chunk)
            size += Int64(chunk.count)
        }
        return (size, hash.finalize().hexadecimal)
    }

    /// What to do about the errors that a disk gives.
    static func remedy(_ error: any Error) -> String {
        switch "\(error)" {
        case let text where text.contains("No space"): "; make room on that disk, or remove old backups"
        case let text where text.contains("Disk quota"):
            "; raise the quota of the user who deploys, or remove old backups"
        case let text where text.contains("Read-only"): "; remount that file system writable"
        case let text where text.contains("I/O error") || text.contains("Input/output"):
            "; check the disk: dmesg, smartctl"
        case let text where text.contains("Permission"): "; deploy as the tree's owner or as root"
        default: ""
        }
    }
}

/// Room for a piece of a file, made once for many files.
struct Buffer: ~Copyable {
    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)

    deinit { bytes.deallocate() }

    /// The next piece of a file, valid until the next call; nil at its end.
    mutating func read(_ file: Descriptor) throws -> UnsafeRawBufferPointer? {
        guard let count = try file.read(into: bytes), count > 0 else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[..<count])
    }
}
