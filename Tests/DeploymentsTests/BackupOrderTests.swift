import Foundation
import Testing

import Deployments
import Platform

/// Which backup is the newest, and what is remembered of a file.
extension TreeChangeTests {
    /// A clock that was ahead when the first one was made, and one that was years behind when the last was.
    @Test func theNewestIsTheOneMadeLast() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        let store = BackupStore(tree: tree)
        let entries = try Scan.entries(of: tree.root, units: ["src"])
        var made: [String] = []
        for name in ["20990101_000000", nil, "20010101_000000"] {
            let backup = try store.make(.manual, units: ["src"], entries: entries, absent: [])
            let path = "\(tree.backups)/\(name ?? backup.manifest.id)"
            if path != backup.path { try FileManager.default.moveItem(atPath: backup.path, toPath: path) }
            made.append(name ?? backup.manifest.id)
        }
        #expect(store.names() == made)
        #expect(try store.find("latest").path.hasSuffix("20010101_000000"))
        #expect(try store.retain(inUse: []) == [], "none is older than one made before it")
        let times = try made.map { try #require(try FileStatus("\(tree.backups)/\($0)")).modified }
        #expect(times == times.sorted() && Set(times).count == 3, "\(times)")
        // One without a number comes first, whatever its name says.
        let old = "\(tree.backups)/20980101_000000"
        try FileManager.default.copyItem(atPath: "\(tree.backups)/\(made[1])", toPath: old)
        let lines = try String(contentsOfFile: "\(old)/manifest.json", encoding: .utf8).split(separator: "\n")
        let text = lines.filter { !$0.hasPrefix("  \"sequence\"") }.joined(separator: "\n") + "\n"
        try write("\(old)/manifest.json", text)
        try write("\(old)/manifest.sha256", BackupStore.sum(Array(text.utf8)))
        #expect(store.names() == ["20980101_000000"] + made)
        _ = try store.verified(at: old)
        // Of a damaged one only the name tells its place.
        try write("\(tree.backups)/\(made[0])/manifest.json", "{}")
        #expect(store.names() == ["20980101_000000", made[1], made[2], made[0]])
    }

    /// What is remembered of a file holds only as long as nothing about it has changed, and not when it changed just before.
    @Test func aChangedFileIsReadAgain() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        let path = "\(tree.root)/src/a"
        let looks = Looks()
        let look = Looks.Look(sha256: "x", attributes: nil)
        let status = try #require(try FileStatus(path))
        looks.remember(status, look, asked: status.changed + Looks.tick)
        #expect(looks.known(status) == nil, "it could have changed again in the same tick")
        looks.remember(status, look, asked: status.changed + Looks.tick + 1)
        #expect(looks.known(status) != nil)
        #expect(looks.known(try #require(try FileStatus(path))) != nil)
        // The same name, length, and time of the last change of the content: only the time of the change itself is another.
        try write(path, "dlo a")
        try Files.setModified(path, seconds: status.modified, nanoseconds: status.modifiedNanoseconds)
        let later = try #require(try FileStatus(path))
        #expect(
            (later.size, later.modified, later.modifiedNanoseconds) == (
                status.size, status.modified, status.modifiedNanoseconds
            ))
        #expect(looks.known(later) == nil)
        let all = { try Scan.treeHash(Scan.entries(of: tree.root, units: ["src"])) }
        let before = try all()
        try write(path, "old a")
        #expect(try all() != before)
    }
}
