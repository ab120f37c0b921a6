import Crypto
import Foundation
import Platform
public import Reports

/// The error type of this module: what was attempted, why it failed, what to do.
public struct CertificationError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, why it failed, what to do.
    public let description: String

    /// Makes an error.
    public init(_ description: String) { self.description = description }
}

/// The tree under test: a directory, and one of its releases if it has several.
///
/// A tree with a `releases` directory keeps there what differs between its releases; a release is the tree with
/// `releases/<name>` laid over it. In a trial that is done by an overlay mount, so nothing is copied and nothing is written.
public struct TargetTree: Sendable {
    /// Its absolute path.
    public let path: String
    /// The release; nil for a tree without releases.
    public let release: String?
    /// The known race that is laid over it, if one is.
    public let control: Control?
    /// The directories with what differs from the tree, first the one that wins.
    private let layers: [String]

    /// Finds a tree.
    /// - Parameters:
    ///   - control: a known race to put in.
    ///   - store: where the changed files of a control are kept.
    /// - Throws: `CertificationError` when it is not there, the release is missing or unknown, or the control does not fit it.
    public init(
        path: String, release: String?, control: Control? = nil, store: String = "reports/controls"
    ) throws(CertificationError) {
        let absolute = URL(fileURLWithPath: path).standardizedFileURL.path
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: absolute, isDirectory: &isDirectory), isDirectory.boolValue else {
            throw CertificationError("the target '\(path)' is not a directory; give the software's tree with --target")
        }
        guard !absolute.contains(":"), !absolute.contains(",") else {
            throw CertificationError(
                "the target's path '\(absolute)' contains ':' or ',', which overlay mounts cannot take")
        }
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: "\(absolute)/releases")) ?? []).sorted()
        let known = names.isEmpty ? "it has none" : "it has \(names.joined(separator: ", "))"
        if let release, !names.contains(release) {
            throw CertificationError("the target '\(path)' has no release '\(release)': \(known)")
        }
        if release == nil, !names.isEmpty {
            throw CertificationError("the target '\(path)' has several releases: choose one with --release (\(known))")
        }
        for name in release.map({
            (try? FileManager.default.contentsOfDirectory(atPath: "\(absolute)/releases/\($0)")) ?? []
        }) ?? [] {
            guard FileManager.default.fileExists(atPath: "\(absolute)/\(name)/.") else {
                throw CertificationError(
                    "'\(name)' of release '\(release ?? "")' is not a directory of the tree '\(path)', so it cannot be laid over one"
                )
            }
        }
        self.path = absolute
        self.release = release
        self.control = control
        var layers = release.map { ["\(absolute)/releases/\($0)"] } ?? []
        if let control {
            let beneath = layers + [absolute]
            layers.insert(
                try control.put(below: store) { file in
                    beneath.lazy.compactMap { FileManager.default.contents(atPath: "\($0)/\(file)") }.first
                        .map { String(decoding: $0, as: UTF8.self) }
                }, at: 0)
        }
        self.layers = layers
    }

    /// What a sandbox must lay over what: each directory of a layer over the tree's of that name. (The tree as a whole cannot be
    /// a layer: it contains the release, and the kernel refuses layers that overlap.)
    public var overlays: [(lower: String, at: String)] {
        let names = Set(layers.flatMap { (try? FileManager.default.contentsOfDirectory(atPath: $0)) ?? [] })
        return names.sorted().map { name in
            let parts = (layers + [path]).map { "\($0)/\(name)" }
            let present = parts.filter { FileManager.default.fileExists(atPath: $0) }
            return (lower: present.joined(separator: ":"), at: "\(path)/\(name)")
        }
    }

    /// The tree's identity.
    /// - Throws: `CertificationError` when a file of it cannot be read.
    public func identity() throws(CertificationError) -> TargetIdentity {
        var files = Self.files(below: path).filter { !$0.key.hasPrefix("releases/") }
        for layer in layers.reversed() { files.merge(Self.files(below: layer)) { _, over in over } }
        var hash = SHA256()
        for (name, file) in files.sorted(by: { $0.key < $1.key }) {
            let attributes = try? FileManager.default.attributesOfItem(atPath: file)
            let mode = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
            let link = try? FileManager.default.destinationOfSymbolicLink(atPath: file)
            guard let data = link.map({ Data($0.utf8) }) ?? FileManager.default.contents(atPath: file) else {
                throw CertificationError("read '\(file)' of the target: is it readable for this user?")
            }
            hash.update(data: Data("\(name)\0\(mode & 0o111 != 0 ? "x" : "-")\0\(data.count)\0".utf8))
            hash.update(data: data)
        }
        return TargetIdentity(
            path: path, treeHash: hash.finalize().hexadecimal, release: release, control: control?.name)
    }

    private static let ignored: Set<String> = [".git", "__pycache__", ".venv", ".pytest_cache", "node_modules"]

    private static func files(below root: String) -> [String: String] {
        var files: [String: String] = [:]
        var pending = [""]
        while let directory = pending.popLast() {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(directory)")) ?? [] {
                guard !ignored.contains(name) else { continue }
                let relative = directory.isEmpty ? name : "\(directory)/\(name)"
                let attributes = try? FileManager.default.attributesOfItem(atPath: "\(root)/\(relative)")
                if attributes?[.type] as? FileAttributeType == .typeDirectory {
                    pending.append(relative)
                } else {
                    files[relative] = "\(root)/\(relative)"
                }
            }
        }
        return files
    }
}
