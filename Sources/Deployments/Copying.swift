import Foundation
import Glibc
import Platform

/// Copying entries so that what was copied is on the disk when it is reported done.
enum Copying {
    /// Copies entries from below one directory to below another, which must be there and have none of them yet.
    /// - Parameter mode: the permissions for an entry in the copy: its own, or those of a backup's.
    /// - Throws: `DeploymentError` when something cannot be read or written, or a file is not what its entry says.
    static func copy(
        _ entries: [Entry], from source: String, to destination: String, keepOwner: Bool, mode: (Entry) -> UInt32
    ) throws(DeploymentError) {
        let origin: Descriptor
        do { origin = try Files.open(source, flags: O_RDONLY | O_DIRECTORY) } catch {
            throw DeploymentError(.files, "read the directory '\(source)': \(error)")
        }
        let asRoot = geteuid() == 0
        for entry in entries {
            let path = "\(destination)/\(entry.path)"
            do {
                switch entry.kind {
                // Writable for ourselves until everything is in it.
                case .directory: try Files.makeDirectory(path, mode: mode(entry) | 0o700)
                case .link: try Files.makeLink(path, to: entry.target)
                case .file:
                    let file = try Files.open(path, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
                    try transfer(try origin.open(beneath: entry.path, flags: O_RDONLY), file)
                    if keepOwner, asRoot { try Files.setOwner(path, user: entry.user, group: entry.group) }
                    try file.setMode(mode(entry))
                    try Files.sync(file)
                    continue
                }
                if keepOwner, asRoot { try Files.setOwner(path, user: entry.user, group: entry.group) }
            } catch {
                throw DeploymentError(.files, "copy '\(source)/\(entry.path)' to '\(path)': \(error)\(remedy(error))")
            }
        }
        for entry in entries.reversed() where entry.kind == .directory {
            let path = "\(destination)/\(entry.path)"
            do {
                if mode(entry) | 0o700 != mode(entry) { try Files.setMode(path, mode(entry)) }
                try Files.sync(directory: path)
            } catch { throw DeploymentError(.files, "write the directory '\(path)' to disk: \(error)\(remedy(error))") }
        }
    }

    private static func transfer(_ source: Descriptor, _ destination: Descriptor) throws {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while let count = try chunk.withUnsafeMutableBytes({ try source.read(into: $0) }), count > 0 {
            try destination.writeAll(Array(chunk[..<count]))
        }
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
