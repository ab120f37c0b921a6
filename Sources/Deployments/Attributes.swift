import Foundation
import Glibc
import Platform
import SystemPackage

/// The extended attributes that are the tree's: capabilities of programs, access lists, what users keep beside files. The labels of
/// security modules are not, which a module gives by its policy to what is made.
enum Attributes {
    private static let access = "system.posix_acl_access"

    static func isKept(_ name: String) -> Bool {
        switch name {
        case "security.capability", access, "system.posix_acl_default": true
        default:
            name.hasPrefix("user.") || (name.hasPrefix("trusted.") && !name.hasPrefix("trusted.overlay."))
        }
    }

    /// Those of an open file, their values in Base64; nil when there are none.
    static func read(_ file: Descriptor) throws(Errno) -> [String: String]? {
        var found: [String: String] = [:]
        for name in try file.attributeNames() where isKept(name) {
            if let value = try file.attribute(name) { found[name] = Data(value).base64EncodedString() }
        }
        return found.isEmpty ? nil : found
    }

    /// Gives an open file exactly these: a new file may have inherited others from the directory that it was made in.
    static func write(_ wanted: [String: String]?, to file: Descriptor) throws(Errno) {
        for name in try file.attributeNames() where isKept(name) && wanted?[name] == nil {
            try file.removeAttribute(name)
        }
        for (name, value) in (wanted ?? [:]).sorted(by: { $0.key < $1.key }) where isKept(name) {
            guard let bytes = Data(base64Encoded: value) else { throw .invalidArgument }
            try file.setAttribute(name, Array(bytes))
        }
    }

    /// What an entry of a release has in the tree: its own, and what the one that it replaces has and it does not. A release is a
    /// directory that was copied there, mostly without any; what a machine's programs may do and who may read them is the tree's.
    static func adopt(_ there: Entry, by entry: inout Entry) {
        guard let kept = there.attributes, there.kind == entry.kind, entry.kind != .link else { return }
        if entry.attributes?[access] == nil, let list = kept[access] {
            if entry.kind == .directory {
                entry.mode = there.mode
            } else if let bytes = Data(base64Encoded: list) {
                let (adapted, mode) = adapt(Array(bytes), to: entry.mode)
                entry.attributes = (entry.attributes ?? [:]).merging([access: Data(adapted).base64EncodedString()]) {
                    $1
                }
                entry.mode = mode
            }
        }
        entry.attributes = (entry.attributes ?? [:]).merging(kept) { own, _ in own }
    }

    /// An access list with the permissions of a release's file for its owner and for everyone else, and with its mask, which stands
    /// where the group's permissions are, widened by the right to run it.
    private static func adapt(_ list: [UInt8], to mode: UInt32) -> (list: [UInt8], mode: UInt32) {
        var (list, mode) = (list, mode)
        // A version in four bytes; then for each entry a tag and permissions in two bytes each, and a number in four.
        for at in stride(from: 4, to: list.count - 7, by: 8) {
            switch list[at] {
            case 0x01: list[at + 2] = UInt8(mode >> 6 & 7)
            case 0x20: list[at + 2] = UInt8(mode & 7)
            case 0x10:
                list[at + 2] = list[at + 2] & 6 | UInt8(mode >> 3 & 1)
                mode = mode & ~0o070 | UInt32(list[at + 2]) << 3
            default: break
            }
        }
        return (list, mode)
    }

    /// Tries out beside the tree whether what these entries have can be given to the files that are staged.
    /// - Throws: `DeploymentError` `.environment` that names the first file and attribute with which it cannot.
    static func require(_ entries: [Entry], in tree: DeploymentTree) throws(DeploymentError) {
        var seen: Set<[String]> = []
        var tried: [Entry] = []
        for entry in entries {
            guard let names = entry.attributes?.keys, !names.isEmpty else { continue }
            if seen.insert([entry.kind.rawValue] + names.sorted()).inserted { tried.append(entry) }
        }
        guard !tried.isEmpty else { return }
        let scratch = "\(tree.directory)/.attributes.new"
        defer { try? Files.removeTree(scratch) }
        for entry in tried {
            do {
                try Files.removeTree(scratch)
                if entry.kind == .directory { try Files.makeDirectory(scratch, mode: 0o700) }
                let flags = entry.kind == .directory ? O_RDONLY | O_DIRECTORY : O_WRONLY | O_CREAT | O_EXCL
                try write(entry.attributes, to: try Files.open(scratch, flags: flags | O_NOFOLLOW, mode: 0o600))
            } catch {
                let names = (entry.attributes ?? [:]).keys.sorted().joined(separator: ", ")
                throw DeploymentError(
                    .environment,
                    "'\(tree.root)/\(entry.path)' has \(names), which cannot be kept: \(error); deploy as root on a file system with extended attributes, or remove them (setcap -r, setfacl -b, setfattr -x)"
                )
            }
        }
    }
}
