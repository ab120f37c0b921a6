import Crypto
import Foundation
import Glibc
import Platform
import SystemPackage

/// One file, directory or link of a tree, as a manifest lists it.
public struct Entry: Codable, Sendable, Equatable {
    /// What it is.
    public enum Kind: String, Codable, Sendable {
        /// A regular file.
        case file
        /// A directory.
        case directory
        /// A symbolic link that stays within the tree.
        case link
    }

    /// Its path in the tree, with `/` between names.
    public var path: String
    /// What it is.
    public var kind: Kind
    /// Bytes; 0 for what is no file.
    public var size: Int64
    /// Permissions.
    public var mode: UInt32
    /// The owner's number.
    public var user: UInt32
    /// The owning group's number.
    public var group: UInt32
    /// SHA-256 of a file's content in hexadecimal digits; empty for what is no file.
    public var sha256: String
    /// What a link points at; empty for what is no link.
    public var target: String
    /// Extended attributes, their values in Base64; nil when there are none, or the manifest is of an earlier version.
    public var attributes: [String: String]?

    /// Why a path cannot be one of a tree; nil when it can.
    public static func fault(in path: String) -> String? {
        if path.isEmpty { return "is empty" }
        if path.utf8.count > 4000 { return "is longer than 4000 bytes" }
        if path.hasPrefix("/") { return "is absolute" }
        // The control characters: C0, DEL, and C1, which begins with 0xC2 in UTF-8.
        var last: UInt8 = 0
        for byte in path.utf8 {
            if byte < 0x20 || byte == 0x7F || (last == 0xC2 && byte < 0xA0) { return "contains a control character" }
            last = byte
        }
        for name in path.split(separator: "/", omittingEmptySubsequences: false) {
            if name == ".." { return "leads out of the tree" }
            if name.isEmpty || name == "." { return "is not in its plain form" }
        }
        return nil
    }
}

/// Reading the entries of a tree, and hashing them.
package enum Scan {
    /// Whether a path is in a cache that programs write while they run. It is copied, backed up and brought back like everything
    /// else, but says nothing about which release a tree is, and may change while the tree is read.
    static func isCache(_ path: String) -> Bool {
        var rest = path.utf8[...]
        while true {
            let name = rest.prefix { $0 != UInt8(ascii: "/") }
            if name.elementsEqual("__pycache__".utf8) || name.elementsEqual(".pytest_cache".utf8) { return true }
            guard name.endIndex < rest.endIndex else { return false }
            rest = rest[rest.index(after: name.endIndex)...]
        }
    }

    /// Every entry below the given names of a directory, sorted by path.
    /// - Parameter anew: whether also files are read which this process has read before and nothing has changed since.
    /// - Throws: `DeploymentError` when one cannot be read, is neither file, directory nor link, or is a link out of the tree.
    package static func entries(
        of root: String, units: [String], in surroundings: Surroundings = .none, anew: Bool = false
    ) throws(DeploymentError) -> [Entry] {
        let links = surroundings.rule(root, units: units)
        let directory: Descriptor
        do { directory = try Files.open(root, flags: O_RDONLY | O_DIRECTORY) } catch {
            throw DeploymentError(.files, "read the directory '\(root)': \(error)")
        }
        var entries: [Entry] = []
        var buffer = Buffer()
        // A unit need not be there; what a directory lists must be.
        var pending = units.reversed().map { (path: $0, isListed: false) }
        while let (path, isListed) = pending.popLast() {
            if let fault = Entry.fault(in: path) {
                throw DeploymentError(.files, "'\(root)/\(Text.plain(path))' \(fault): rename or remove it")
            }
            guard var entry = try entry(path, root, directory, links, anew ? nil : Looks.shared, &buffer) else {
                guard isListed, !isCache(path) else { continue }
                throw DeploymentError(
                    .files, "'\(root)/\(path)' went away while the tree was read: stop who changes it, then try again")
            }
            guard entry.kind == .directory else {
                entries.append(entry)
                continue
            }
            let inside: Descriptor
            do { inside = try directory.open(beneath: path, flags: O_RDONLY | O_DIRECTORY) } catch {
                if error == .noSuchFileOrDirectory, isCache(path) { continue }
                throw DeploymentError(.files, "read the directory '\(root)/\(path)': \(error)")
            }
            do { entry.attributes = try Attributes.read(inside) } catch {
                throw DeploymentError(.files, "read the attributes of '\(root)/\(path)': \(error)")
            }
            entries.append(entry)
            pending += try names(in: inside, "\(root)/\(path)").map { (path: "\(path)/\($0)", isListed: true) }
        }
        return entries.sorted { $0.path < $1.path }
    }

    /// The names in a directory, sorted.
    package static func names(in path: String) throws(DeploymentError) -> [String] {
        let directory: Descriptor
        do { directory = try Files.open(path, flags: O_RDONLY | O_DIRECTORY) } catch {
            throw DeploymentError(.files, "read the directory '\(path)': \(error)")
        }
        return try names(in: directory, path).sorted()
    }

    /// - Throws: `DeploymentError` when one is no text, so that no manifest could have it, or two are the same text.
    private static func names(in directory: Descriptor, _ path: String) throws(DeploymentError) -> [String] {
        let listed: [[UInt8]]
        do { listed = try directory.names() } catch {
            throw DeploymentError(.files, "read the directory '\(path)': \(error)")
        }
        var names: Set<String> = []
        for bytes in listed {
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw DeploymentError(
                    .files,
                    "the directory '\(path)' has the name '\(Text.escaped(bytes))', which is not UTF-8: rename or remove it"
                )
            }
            guard names.insert(name).inserted else {
                throw DeploymentError(
                    .files,
                    "the directory '\(path)' has the name '\(Text.plain(name))' in two spellings of Unicode: rename or remove one"
                )
            }
        }
        return Array(names)
    }

    private static func entry(
        _ path: String, _ root: String, _ directory: Descriptor, _ links: LinkRule, _ looks: Looks?,
        _ buffer: inout Buffer
    ) throws(DeploymentError) -> Entry? {
        do {
            let asked = Looks.now()
            guard let status = try FileStatus("\(root)/\(path)") else { return nil }
            var entry = Entry(
                path: path, kind: .directory, size: 0, mode: status.mode, user: status.user, group: status.group,
                sha256: "", target: "")
            switch status.kind {
            case .directory: break
            case .file:
                (entry.kind, entry.size) = (.file, status.size)
                if let look = looks?.known(status) {
                    (entry.sha256, entry.attributes) = (look.sha256, look.attributes)
                    break
                }
                let file: Descriptor
                do { file = try directory.open(beneath: path, flags: O_RDONLY) } catch {
                    if error == .noSuchFileOrDirectory, isCache(path) { return nil }
                    throw error
                }
                entry.attributes = try Attributes.read(file)
                (entry.size, entry.sha256) = try hash(file, &buffer)
                Looks.shared.remember(
                    status, Looks.Look(sha256: entry.sha256, attributes: entry.attributes), asked: asked)
            case .link:
                let bytes = ProcFile.linkBytes("\(root)/\(path)") ?? []
                guard let target = String(validating: bytes, as: UTF8.self) else {
                    throw DeploymentError(
                        .files,
                        "the link '\(root)/\(path)' points at '\(Text.escaped(bytes))', which is not UTF-8: replace it by what it points at"
                    )
                }
                if let fault = links.fault(inLink: path, to: target) {
                    throw DeploymentError(
                        .files, "the link '\(root)/\(path)' \(fault): replace it by what it points at")
                }
                // Linux gives links no permissions of their own.
                (entry.kind, entry.target, entry.mode) = (.link, target, 0o777)
            case .special:
                throw DeploymentError(
                    .files, "'\(root)/\(path)' is a device, socket or pipe, which cannot be deployed: remove it")
            }
            return entry
        } catch let error as DeploymentError { throw error } catch {
            throw DeploymentError(.files, "read '\(root)/\(path)': \(error); is it readable for this user?")
        }
    }

    /// The length and SHA-256 of an open file.
    static func hash(_ file: Descriptor) throws -> (size: Int64, sha256: String) {
        var buffer = Buffer()
        return try hash(file, &buffer)
    }

    private static func hash(_ file: Descriptor, _ buffer: inout Buffer) throws -> (size: Int64, sha256: String) {
        var hash = SHA256()
        var size: Int64 = 0
        while let chunk = try buffer.read(file) {
            hash.update(bufferPointer: chunk)
            size += Int64(chunk.count)
        }
        return (size, hash.finalize().hexadecimal)
    }

    /// One number for all the entries: over path, kind, permissions, content and attributes. Caches are not in it: a service that runs adds to
    /// them, and its release stays what it is.
    package static func treeHash(_ entries: [Entry]) -> String {
        var hash = SHA256()
        for entry in entries.sorted(by: { $0.path < $1.path }) where !isCache(entry.path) {
            let line =
                "\(entry.path)\0\(entry.kind.rawValue)\0\(String(entry.mode, radix: 8))\0\(entry.sha256)\0\(entry.target)\0"
            hash.update(data: Data(line.utf8))
            for (name, value) in (entry.attributes ?? [:]).sorted(by: { $0.key < $1.key }) {
                hash.update(data: Data("\(name)=\(value)\0".utf8))
            }
        }
        return hash.finalize().hexadecimal
    }
}

/// Text on its way into a file or a message.
enum Text {
    /// Bytes that are not text as a shell's `$'…'` takes them.
    static func escaped(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let isPlain = (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\\")
            return isPlain ? String(UnicodeScalar(byte)) : "\\x" + CollectionOfOne(byte).hexadecimal
        }.joined()
    }

    /// The text with control characters, and those that turn the direction of writing, made visible: what a target prints cannot
    /// steer the terminal of who reads it.
    static func plain(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            let steers = (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
            if scalar.properties.generalCategory == .control || steers {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func json(_ value: some Encodable) throws(DeploymentError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) + [10] } catch {
            throw DeploymentError(.files, "encode as JSON: \(error)")
        }
    }
}
