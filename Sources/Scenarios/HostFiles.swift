import Foundation
import Yams

/// What a trial has of the host's files beyond a private copy, in which each trial finds them as they are on the host and writes to
/// memory of its own.
public struct HostFiles: Codable, Sendable, Equatable {
    /// Paths that are the host's own: what is written there stays, and trials side by side share it.
    public var writable: [String]
    /// Directories that are empty at first, whatever the host has there, as `/tmp` is.
    public var empty: [String]

    /// Makes one.
    public init(writable: [String] = [], empty: [String] = []) {
        self.writable = writable
        self.empty = empty
    }
}

extension BodyReader {
    private static let ownPlaces = ["/tmp", "/var/tmp", "/dev", "/dev/shm", "/proc", "/sys"]

    /// Reads `files`; a list that stands here takes the place of that of the topology's file.
    func files(_ node: Node, over base: HostFiles?) -> HostFiles? {
        guard let members = reader.members(node, "'files'", keys: ["writable", "empty"]) else { return base }
        var files = base ?? HostFiles()
        if let node = members["writable"] { files.writable = paths(node) }
        if let node = members["empty"] { files.empty = paths(node) }
        return files
    }

    private func paths(_ node: Node) -> [String] {
        reader.entries(node).compactMap { entry in
            guard let word = reader.text(entry, "a path") else { return nil }
            guard word.hasPrefix("/"), !word.utf8.contains(0) else {
                reader.report(entry, "'\(word)' must be an absolute path; ${here} is this file's directory")
                return nil
            }
            let path = URL(fileURLWithPath: word).standardizedFileURL.path
            if path == "/" || Self.ownPlaces.contains(path) {
                reader.report(entry, "'\(path)' is the trial's own as it is: name a path below it, or another")
            }
            return path
        }
    }
}
