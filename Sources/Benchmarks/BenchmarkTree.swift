import Foundation
import Glibc
import Platform

/// A tree of many small files, the same at each run, and releases of it in which ten files change.
package struct BenchmarkTree {
    /// How many files a release changes.
    static let changed = 10
    let root: String
    let files: Int

    /// The release's directory, which is not in the tree.
    var release: String { root + "-release" }

    /// The path of a file in the tree: fifty in a directory, twenty directories in one above.
    package static func path(_ number: Int) -> String {
        // A tenth of all are binary.
        "src/part\(number / 1000)/sub\(number / 50 % 20)/file\(number).\(number % 10 == 9 ? "bin" : "py")"
    }

    /// The files that a release changes: spread over the tree. The first one is what the service serves.
    package static func changes(of files: Int) -> [Int] {
        (0..<min(changed, files)).map { $0 * files / min(changed, files) }
    }

    /// A file's content: from 64 bytes to 16 KiB, most of them small.
    package static func content(_ number: Int) -> [UInt8] {
        var state = UInt64(number) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        let size = 64 << Int(next() % 8) + Int(next() % 64)
        guard number % 10 == 9 else {
            let line = Array("value_\(number) = \(next())\n".utf8)
            return (0..<size).map { line[$0 % line.count] }
        }
        return (0..<size).map { _ in UInt8(truncatingIfNeeded: next() >> 24) }
    }

    /// Writes the tree.
    func make() throws {
        for number in 0..<files { try write(root, number, Self.content(number)) }
        try writeVersion(root, 0)
    }

    /// Writes the release of a round: ten files, none of which is as it was in another round.
    func makeRelease(_ round: Int) throws {
        for number in Self.changes(of: files).dropFirst() {
            try write(release, number, Array("round = \(round)\n".utf8) + Self.content(number))
        }
        try writeVersion(release, round)
    }

    private func writeVersion(_ place: String, _ round: Int) throws {
        try write(place, 0, Array("version \(round)\n".utf8))
    }

    private func write(_ place: String, _ number: Int, _ bytes: [UInt8]) throws {
        let path = "\(place)/\(Self.path(number))"
        do {
            try Files.makeDirectories(Files.parent(of: path), mode: 0o755)
            try Files.open(path, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644).writeAll(bytes)
        } catch { throw BenchmarkError("write '\(path)': \(error)") }
    }
}
