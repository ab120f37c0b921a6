import Foundation
import Glibc
import Platform

/// All that a release's directory holds, to the last name: what is signed is the text of this list, so that a signature stands for
/// every file, directory and link of the release, its permissions, and that there is nothing else.
public struct ReleaseManifest: Codable, Sendable, Equatable {
    /// One name in the release.
    public struct Item: Codable, Sendable, Equatable {
        /// Its path in the release, with `/` between names.
        public var path: String
        /// What it is.
        public var kind: Entry.Kind
        /// Permissions in octal digits.
        public var mode: String
        /// Bytes; 0 for what is no file.
        public var size: Int64
        /// SHA-256 of a file's content; empty for what is no file.
        public var sha256: String
        /// What a link points at; empty for what is no link.
        public var target: String
    }

    /// The form of this list.
    public var form = 1
    /// What the release's directory was called when it was signed. For people: a release may be carried to any place.
    public var name: String
    /// All names, sorted by path.
    public var entries: [Item]

    /// The most bytes that one may have.
    static let limit = 1 << 28

    /// Where the list of a release is: beside its directory, because what is in the directory goes into the tree.
    static func path(of release: String) -> String { release + ".manifest" }

    /// Reads a release whole.
    /// - Throws: `DeploymentError` when something in it cannot be read, or is neither file, directory nor link.
    package init(of release: String) throws(DeploymentError) {
        name = URL(fileURLWithPath: release).lastPathComponent
        entries = try Self.items(of: release)
        guard !entries.isEmpty else {
            throw DeploymentError(.environment, "the release '\(release)' is empty: there is nothing to sign")
        }
    }

    /// Understands what was signed.
    /// - Throws: `DeploymentError` when it is no such list, or has paths that cannot be in one.
    package init(reading bytes: [UInt8], at path: String) throws(DeploymentError) {
        guard let read = try? JSONDecoder().decode(ReleaseManifest.self, from: Data(bytes)), read.form == 1 else {
            throw DeploymentError(
                .damaged, "'\(path)' is not the list of a release that this fracas understands: sign the release anew")
        }
        self = read
        var known: Set<String> = []
        for item in entries {
            if let fault = Entry.fault(in: item.path) {
                throw DeploymentError(.damaged, "'\(path)' has the path '\(Text.plain(item.path))', which \(fault)")
            }
            guard known.insert(item.path).inserted else {
                throw DeploymentError(.damaged, "'\(path)' has the path '\(Text.plain(item.path))' twice")
            }
        }
    }

    // MARK: reading a directory

    /// Nothing is left out, caches neither: what is added to a signed release is told, whatever it is called.
    private static func items(of release: String) throws(DeploymentError) -> [Item] {
        let root: Descriptor
        do { root = try Files.open(release, flags: O_RDONLY | O_DIRECTORY) } catch {
            throw DeploymentError(.files, "read the release '\(release)': \(error)")
        }
        var items: [Item] = []
        var pending = try names(in: root, release)
        while let path = pending.popLast() {
            if let fault = Entry.fault(in: path) {
                throw DeploymentError(.files, "'\(release)/\(Text.plain(path))' \(fault): rename or remove it")
            }
            let item = try item(path, in: root, release)
            items.append(item)
            guard item.kind == .directory else { continue }
            let inside: Descriptor
            do { inside = try root.open(beneath: path, flags: O_RDONLY | O_DIRECTORY) } catch {
                throw DeploymentError(.files, "read the directory '\(release)/\(path)': \(error)")
            }
            pending += try names(in: inside, "\(release)/\(path)").map { "\(path)/\($0)" }
        }
        return items.sorted { $0.path < $1.path }
    }

    private static func names(in directory: Descriptor, _ path: String) throws(DeploymentError) -> [String] {
        let listed: [[UInt8]]
        do { listed = try directory.names() } catch {
            throw DeploymentError(.files, "read the directory '\(path)': \(error)")
        }
        var names: [String] = []
        for bytes in listed {
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw DeploymentError(
                    .files, "'\(path)' has the name '\(Text.escaped(bytes))', which is not UTF-8: rename or remove it")
            }
            names.append(name)
        }
        return names
    }

    private static func item(_ path: String, in root: Descriptor, _ release: String) throws(DeploymentError) -> Item {
        let full = "\(release)/\(path)"
        do {
            guard let status = try FileStatus(full) else {
                throw DeploymentError(.files, "'\(full)' went away while it was read: let nobody change the release")
            }
            // A right that a file brings beside its permissions must not come in under a signature that says nothing of it.
            if let name = try FileStatus.attributeNames(full).first(where: isOfMeaning) {
                throw DeploymentError(
                    .files,
                    "'\(full)' has the extended attribute '\(Text.plain(name))', which no signature covers: take it away (setcap -r, setfacl -b, setfattr -x)"
                )
            }
            var item = Item(
                path: path, kind: .directory, mode: String(status.mode, radix: 8), size: 0, sha256: "", target: "")
            switch status.kind {
            case .directory: break
            case .file:
                let hashed = try Scan.hash(root.open(beneath: path, flags: O_RDONLY))
                (item.kind, item.size, item.sha256) = (.file, hashed.size, hashed.sha256)
            case .link:
                guard let target = String(validating: ProcFile.linkBytes(full) ?? [], as: UTF8.self) else {
                    throw DeploymentError(.files, "the link '\(full)' points at what is not UTF-8: replace it")
                }
                (item.kind, item.target, item.mode) = (.link, target, "777")
            case .special:
                throw DeploymentError(.files, "'\(full)' is a device, socket or pipe: take it out of the release")
            }
            return item
        } catch let error as DeploymentError { throw error } catch {
            throw DeploymentError(.files, "read '\(full)': \(error); is it readable for this user?")
        }
    }

    /// Whether an attribute is one that a program or the kernel goes by: capabilities, access lists, what programs keep for themselves.
    /// A host's own labels are not.
    private static func isOfMeaning(_ attribute: String) -> Bool {
        attribute == "security.capability" || attribute.hasPrefix("system.posix_acl") || attribute.hasPrefix("user.")
    }

    // MARK: comparing

    /// What of a release is not as it was signed, by name.
    package func faults(of found: ReleaseManifest) -> [String] {
        let there = Dictionary(found.entries.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        let signed = Set(entries.map(\.path))
        let differing = entries.compactMap { item in Self.fault(of: there[item.path], against: item) }
        return differing + found.entries.filter { !signed.contains($0.path) }.map { "'\($0.path)' was added" }
    }

    /// What of the entries that are put into a tree is not as it was signed. Whose a file is, and the permissions of a directory that
    /// the tree has already, are the tree's business.
    /// - Parameter new: the paths that the tree does not have yet.
    package func faults(of entries: [Entry], new: Set<String>) -> [String] {
        let signed = Dictionary(self.entries.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        var faults = entries.compactMap { entry -> String? in
            guard let item = signed[entry.path] else { return "'\(entry.path)' was added" }
            let isKept = entry.kind == .directory && !new.contains(entry.path)
            let mode = isKept ? item.mode : String(entry.mode, radix: 8)
            let found = Item(
                path: entry.path, kind: entry.kind, mode: mode, size: entry.size, sha256: entry.sha256,
                target: entry.target)
            return Self.fault(of: found, against: item)
        }
        let there = Set(entries.map(\.path))
        faults += self.entries.filter { !there.contains($0.path) }.map { "'\($0.path)' is missing" }
        return faults
    }

    private static func fault(of found: Item?, against signed: Item) -> String? {
        let name = "'\(signed.path)'"
        guard let found else { return "\(name) is missing" }
        if found.kind != signed.kind {
            return "\(name) is a \(found.kind.rawValue), but a \(signed.kind.rawValue) was signed"
        }
        if found.target != signed.target {
            return "\(name) points at '\(Text.plain(found.target))', not at '\(Text.plain(signed.target))'"
        }
        if found.sha256 != signed.sha256 || found.size != signed.size { return "\(name) has other content" }
        if found.mode != signed.mode { return "\(name) has the permissions \(found.mode), not \(signed.mode)" }
        return nil
    }
}
