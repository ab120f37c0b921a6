import Crypto
import Foundation
import Platform

/// A control: a known race, as a diff against a release (`race.patch`) and a page about it (`README.md`) in a directory of its own.
/// A certificate counts for something because its suite catches these.
public struct Control: Sendable, Equatable {
    /// Its directory.
    public let path: String
    /// What it is called: the directory's name.
    public var name: String { URL(fileURLWithPath: path).lastPathComponent }

    /// Finds a control.
    /// - Throws: `CertificationError` when the directory has no `race.patch`.
    public init(path: String) throws(CertificationError) {
        let absolute = URL(fileURLWithPath: path).standardizedFileURL.path
        guard FileManager.default.fileExists(atPath: "\(absolute)/race.patch") else {
            throw CertificationError("'\(path)' is no control: it has no race.patch")
        }
        self.path = absolute
    }

    /// All controls in a directory, by name.
    /// - Throws: `CertificationError` when there is none.
    public static func all(in directory: String) throws(CertificationError) -> [Control] {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
        var controls: [Control] = []
        for name in names where FileManager.default.fileExists(atPath: "\(directory)/\(name)/race.patch") {
            controls.append(try Control(path: "\(directory)/\(name)"))
        }
        guard !controls.isEmpty else {
            throw CertificationError("there are no controls (directories with a race.patch) in '\(directory)'")
        }
        return controls
    }

    /// Puts the changed files into a directory of their own, to be laid over the release. The directory's name follows from what is
    /// in it, so it is made once.
    /// - Parameters:
    ///   - store: the directory below which it is made.
    ///   - read: a file of the release by its path in the tree; nil when there is none.
    /// - Returns: the directory.
    /// - Throws: `CertificationError` when the diff does not fit, or the directory cannot be made.
    func put(below store: String, read: (String) -> String?) throws(CertificationError) -> String {
        let source = "\(path)/race.patch"
        guard let data = FileManager.default.contents(atPath: source) else {
            throw CertificationError("read '\(source)': is it readable for this user?")
        }
        let patch = try UnifiedPatch(String(decoding: data, as: UTF8.self), source: source)
        var files: [(path: String, text: String)] = []
        for change in patch.changes {
            guard change.isNew == (read(change.path) == nil) else {
                let state = change.isNew ? "is there already" : "is not in the release"
                throw CertificationError("\(source): '\(change.path)' \(state)")
            }
            files.append((change.path, try patch.applied(change, to: read(change.path) ?? "")))
        }
        var hash = SHA256()
        for file in files { hash.update(data: Data("\(file.path)\0\(file.text.utf8.count)\0\(file.text)".utf8)) }
        let digest = hash.finalize().prefix(6).hexadecimal
        let place = URL(fileURLWithPath: "\(store)/\(name)-\(digest)").standardizedFileURL.path
        guard !FileManager.default.fileExists(atPath: place) else { return place }
        let draft = "\(place).\(ProcessInfo.processInfo.processIdentifier)"
        do {
            for file in files {
                let target = URL(fileURLWithPath: "\(draft)/\(file.path)")
                try FileManager.default.createDirectory(
                    at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(file.text.utf8).write(to: target)
            }
            // Whoever is first has made it, and the others' is the same.
            if rename(draft, place) != 0 { try FileManager.default.removeItem(atPath: draft) }
        } catch { throw CertificationError("put the control '\(name)' into '\(place)': \(error.localizedDescription)") }
        return place
    }
}
