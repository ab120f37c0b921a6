import Foundation
import Testing

import Deployments
import Platform

/// The parts below the commands: manifests that are not to be trusted, and the exchange from every state it can be found in.
@Suite("Changing a tree")
struct TreeChangeTests {
    /// A tree with `src` and a file at its top, and a release that changes, adds and brings a directory of its own.
    func tree() throws -> DeploymentTree {
        let root = try scratchDirectory()
        for (name, text) in [
            ("src/a", "old a"), ("src/deep/b", "old b"), ("top", "old"), ("releases/r/src/a", "new a"),
            ("releases/r/src/c", "new c"), ("releases/r/top", "new"), ("releases/r/extra/d", "new d"),
            (
                "deployment/config/deployment.conf",
                "SERVICE_NAME=s\nAPI_PORT=5000\nSERVICE_COMMAND=true\nSERVICE_MANAGER=supervisor\n"
            ),
        ] { try write("\(root)/\(name)", text) }
        let tree = try DeploymentTree(root, environment: [:], overrides: [])
        try tree.prepare()
        return tree
    }

    func write(_ path: String, _ text: String) throws {
        try FileManager.default.createDirectory(
            atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path, withIntermediateDirectories: true)
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    private static let units = ["extra", "src", "top"]

    private func staged(_ tree: DeploymentTree) throws -> ([Journal.Unit], before: String, after: String) {
        let present = try Scan.entries(of: tree.root, units: Self.units)
        let release = "\(tree.root)/releases/r"
        let (units, merged) = try TreeChange(tree: tree).stage(
            Self.units, [(tree.root, present), (release, try Scan.entries(of: release, units: Self.units))])
        return (units, Scan.treeHash(present), Scan.treeHash(merged))
    }

    /// The journal's way of being replaced: the new text goes over the spare, so no phase needs a new block.
    @Test func aFileIsReplacedInPlace() throws {
        let directory = try scratchDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = SpareFile(path: "\(directory)/file", spare: "\(directory)/file.new", mode: 0o640)
        func text() -> String {
            String(decoding: FileManager.default.contents(atPath: file.path) ?? Data(), as: UTF8.self)
        }
        func numbers() throws -> Set<UInt64?> { [try FileStatus(file.path)?.inode, try FileStatus(file.spare)?.inode] }
        try file.prepare(for: 5000)
        try file.replace(Array("first".utf8))
        try file.prepare(for: 5000)
        let both = try numbers()
        #expect(both.count == 2 && !both.contains(nil))
        for round in 0..<4 {
            let long = String(repeating: "x", count: 4999 - 1000 * round)
            try file.replace(Array(long.utf8))
            #expect(text().trimmingCharacters(in: .whitespacesAndNewlines) == long, "nothing of what was there before")
            #expect(try numbers() == both)
            #expect(try FileStatus(file.path)?.size == 8192)
        }
        // What is longer than the spare is written anew.
        let longer = String(repeating: "y", count: 9000)
        try file.replace(Array(longer.utf8))
        #expect(text().trimmingCharacters(in: .whitespacesAndNewlines) == longer)
        try file.remove()
        #expect(try numbers() == [nil])
    }

    @Test func exchangedAndBackAgain() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        let change = TreeChange(tree: tree)
        let (units, before, after) = try staged(tree)
        #expect(try change.hash(Self.units) == before, "staging touches nothing")
        // Each call twice: what is there already stays.
        for _ in 0..<2 { try change.move(units, to: .after) }
        #expect(try change.hash(Self.units) == after)
        #expect(FileManager.default.contents(atPath: "\(tree.root)/src/deep/b") == Data("old b".utf8))
        for _ in 0..<2 { try change.move(units, to: .before) }
        #expect(try change.hash(Self.units) == before)
        #expect(!FileManager.default.fileExists(atPath: "\(tree.root)/extra"))
    }

    /// Half-way, as a kill between two exchanges leaves it, recovery finds the one side or the other.
    @Test func fromHalfWayBothWaysAreOpen() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        let change = TreeChange(tree: tree)
        let (units, before, after) = try staged(tree)
        for count in 1...units.count {
            try change.move(Array(units.prefix(count)), to: .after)
            #expect(try change.hasBegun(units))
            try change.move(units, to: .before)
            #expect(try change.hash(Self.units) == before)
            #expect(try !change.hasBegun(units))
            try change.move(Array(units.prefix(count)), to: .after)
            try change.move(units, to: .after)
            #expect(try change.hash(Self.units) == after)
            try change.move(units, to: .before)
        }
    }

    @Test func whatSomeoneElsePutThereIsNotTouched() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        let (units, _, _) = try staged(tree)
        try FileManager.default.moveItem(atPath: "\(tree.root)/src", toPath: "\(tree.root)/mine")
        try write("\(tree.root)/src/own", "x")
        #expect(throws: DeploymentError.self) { try TreeChange(tree: tree).move(units, to: .after) }
        #expect(FileManager.default.contents(atPath: "\(tree.root)/src/own") == Data("x".utf8))
    }

    /// Where a link leads is judged as the kernel goes, `..` from where a link on the way has led.
    @Test(arguments: [
        ("deep/../a", true), ("../top", true), ("..", true), ("nothing/yet", true), ("self", true),
        ("far/../../a", true),
        ("far/../../../../src/a", true), ("up/src/a", true), ("/etc/passwd", false), ("../../x", false),
        ("deep/../../../x", false), ("deep/../../..", false), ("up/..", false), ("up/../x", false),
        ("chain/../x", false),
        ("far/../../../../../x", false), ("away", false), ("../outside/passwd", false),
    ])
    func linksOutOfTheTreeAreRefused(target: String, stays: Bool) throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        try write("\(tree.root)/src/deep/er/est/c", "c")
        // Names at the top that no change touches.
        try FileManager.default.createDirectory(atPath: "\(tree.root)/lib/in", withIntermediateDirectories: true)
        func link(_ name: String, _ target: String) throws {
            guard symlink(target, "\(tree.root)/\(name)") == 0 else { throw CocoaError(.fileWriteUnknown) }
        }
        try link("src/far", "deep/er/est")
        try link("src/up", "..")
        try link("src/chain", "up")
        try link("outside", "/etc")
        try link("src/tried", target == "self" ? "tried" : target == "away" ? "../outside" : target)
        // What the kernel says: where it leads is in the tree, or nowhere.
        if let end = realpath("\(tree.root)/src/tried", nil) {
            let root = try #require(realpath(tree.root, nil))
            let (place, top) = (String(cString: end), String(cString: root))
            if !target.hasPrefix("/") { #expect((place == top || place.hasPrefix(top + "/")) == stays, "\(place)") }
            free(end)
            free(root)
        }
        if stays {
            let entries = try Scan.entries(of: tree.root, units: ["src"])
            #expect(entries.contains { $0.path == "src/tried" })
            // It goes into a backup and through staging, and a rollback's manifest may have it.
            let backup = try BackupStore(tree: tree).make(.manual, units: ["src"], entries: entries, absent: [])
            #expect(try BackupStore(tree: tree).verified(at: backup.path).manifest.fault == nil)
            _ = try TreeChange(tree: tree).stage(["src"], [("\(backup.path)/files", entries)])
        } else {
            let error = #expect(throws: DeploymentError.self) { try Scan.entries(of: tree.root, units: ["src"]) }
            #expect(error?.description.contains("/src/tried' points at '") ?? false, "\(error?.description ?? "")")
        }
    }

    /// A link of a release is judged where it will be, not where the release lies.
    @Test func aReleasesLinksAreJudgedInTheTree() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        try FileManager.default.createSymbolicLink(atPath: "\(tree.root)/src/up", withDestinationPath: "..")
        let release = "\(tree.root)/releases/r"
        // In the release alone `up` is nothing yet, and the way would stay inside.
        try FileManager.default.createSymbolicLink(atPath: "\(release)/src/out", withDestinationPath: "up/../x")
        let present = try Scan.entries(of: tree.root, units: Self.units)
        let alone = try Scan.entries(of: release, units: Self.units)
        #expect(throws: DeploymentError.self) {
            try Scan.entries(of: release, units: Self.units, in: .below(tree.root))
        }
        #expect(throws: DeploymentError.self) {
            try TreeChange(tree: tree).stage(Self.units, [(tree.root, present), (release, alone)])
        }
    }

    /// A manifest is judged by its own links.
    @Test func aManifestsLinksAreJudgedByItself() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        var entries = try Scan.entries(of: tree.root, units: ["src"])
        var link = entries[0]
        (link.kind, link.mode, link.sha256, link.size) = (.link, 0o777, "", 0)
        (link.path, link.target) = ("src/up", "..")
        entries.append(link)
        (link.path, link.target) = ("src/out", "up/src")
        let good = Manifest(
            id: "1", kind: .manual, units: ["src"], entries: entries + [link], absent: [], root: tree.root)
        #expect(good.fault == nil, "\(good.fault ?? "")")
        link.target = "up/../x"
        let bad = Manifest(
            id: "1", kind: .manual, units: ["src"], entries: entries + [link], absent: [], root: tree.root)
        #expect(bad.fault?.contains("src/out', which points at 'up/../x'") ?? false, "\(bad.fault ?? "")")
    }

    /// A unit that is a link itself would have its target changed instead.
    @Test func aLinkAtTheTopIsRefused() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        try FileManager.default.moveItem(atPath: "\(tree.root)/src", toPath: "\(tree.root)/real")
        try FileManager.default.createSymbolicLink(atPath: "\(tree.root)/src", withDestinationPath: "real")
        #expect(throws: DeploymentError.self) { try staged(tree) }
    }

    @Test(arguments: [
        "../x", "/etc/passwd", "src/../../x", "src//a", "src/.", "", "src/a\nb", "src/\u{1B}[2J", "other/a",
    ])
    func manifestsCannotLeadAstray(path: String) throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        var entries = try Scan.entries(of: tree.root, units: ["src"])
        let good = Manifest(id: "1", kind: .manual, units: ["src"], entries: entries, absent: [], root: tree.root)
        #expect(good.fault == nil)
        entries[entries.count - 1].path = path
        let bad = Manifest(id: "1", kind: .manual, units: ["src"], entries: entries, absent: [], root: tree.root)
        #expect(bad.fault != nil)
        for unit in ["deployment", ".git", "..", "a/b"] {
            #expect(
                Manifest(id: "1", kind: .manual, units: [unit], entries: [], absent: [], root: tree.root).fault != nil)
        }
    }

    /// Every single bit of a small backup, manifest and sum included.
    @Test func anyFlippedBitIsFound() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        let store = BackupStore(tree: tree)
        let entries = try Scan.entries(of: tree.root, units: ["src"])
        let backup = try store.make(.manual, units: ["src"], entries: entries, absent: ["src/c"])
        #expect(try store.find("latest").manifest.id == backup.manifest.id)
        for name in ["files/src/a", "files/src/deep/b", "manifest.sha256", "manifest.json"] {
            let path = "\(backup.path)/\(name)"
            let whole = try Data(contentsOf: URL(fileURLWithPath: path))
            for bit in stride(from: 0, to: whole.count * 8, by: max(1, whole.count / 12)) {
                var bad = whole
                bad[bad.startIndex + bit / 8] ^= 1 << UInt8(bit % 8)
                try bad.write(to: URL(fileURLWithPath: path))
                let error = #expect(throws: DeploymentError.self) { try store.verified(at: backup.path) }
                #expect(error?.description.contains(name.hasPrefix("files") ? name : "manifest") ?? false)
            }
            try whole.write(to: URL(fileURLWithPath: path))
        }
        _ = try store.verified(at: backup.path)
        try write("\(backup.path)/files/src/more", "x")
        #expect(throws: DeploymentError.self) { try store.verified(at: backup.path) }
        #expect(throws: DeploymentError.self) { try store.find("latest") }
    }

    @Test func retentionKeepsTheLastGoodOneAndThoseInUse() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        let store = BackupStore(tree: tree)
        let entries = try Scan.entries(of: tree.root, units: ["src"])
        let made = try store.make(.manual, units: ["src"], entries: entries, absent: [])
        for name in ["20200101_000000", "20200102_000000", "20200103_000000"] {
            try FileManager.default.copyItem(atPath: made.path, toPath: "\(tree.backups)/\(name)")
        }
        #expect(try store.retain(inUse: ["20200102_000000"]) == ["20200101_000000", "20200103_000000"])
        #expect(store.names() == ["20200102_000000", made.manifest.id])
        // The newest is damaged, so the old one is the last good one.
        try write("\(made.path)/manifest.json", "{}")
        #expect(try store.retain(inUse: []) == [])
        try write("\(tree.backups)/20200102_000000/files/src/a", "damaged")
        #expect(try store.retain(inUse: []) == [], "with no good one to keep, nothing is removed")
    }

    @Test func aBackupIsOnlyForItsOwner() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        let store = BackupStore(tree: tree)
        let entries = try Scan.entries(of: tree.root, units: ["src"])
        let backup = try store.make(.manual, units: ["src"], entries: entries, absent: [])
        #expect(try FileStatus(backup.path)?.mode == 0o750)
        #expect(try FileStatus("\(backup.path)/files/src/a")?.mode == 0o640)
        #expect(try FileStatus("\(backup.path)/manifest.json")?.mode == 0o640)
        try Files.setMode(backup.path, 0o757)
        #expect(throws: DeploymentError.self) { try store.verified(at: backup.path) }
    }

    @Test func aJournalThatIsNotUnderstoodStopsEverything() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        #expect(try Journal.load(tree) == nil)
        try Journal(operation: "deploy", id: "x").save(tree)
        #expect(try Journal.load(tree)?.phase == .preparing)
        try write(tree.journal, "{")
        #expect(throws: DeploymentError.self) { try Journal.load(tree) }
    }

    @Test func oneHasTheLock() throws {
        let tree = try tree()
        defer { try? FileManager.default.removeItem(atPath: tree.root) }
        let lock = try DeploymentLock(tree, for: "a test")
        let error = #expect(throws: DeploymentError.self) { try DeploymentLock(tree, for: "another") }
        #expect(error?.code == .busy)
        #expect(error?.description.contains("a test (process \(getpid()))") ?? false)
        withExtendedLifetime(lock) {}
    }
}
