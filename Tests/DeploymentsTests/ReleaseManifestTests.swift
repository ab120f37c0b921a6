import Deployments
import Foundation
import Testing

/// The list of a release that is signed, without its signature.
@Suite("Lists of releases")
struct ReleaseManifestTests {
    private func text(_ entries: String, form: Int = 1) -> [UInt8] {
        Array(#"{"form": \#(form), "name": "r", "entries": [\#(entries)]}"#.utf8)
    }

    private func item(_ path: String, kind: String = "file") -> String {
        #"{"path": "\#(path)", "kind": "\#(kind)", "mode": "644", "size": 0, "sha256": "", "target": ""}"#
    }

    /// Signed or not, what cannot be a list of a release is none.
    @Test func whatIsNoListIsRefused() throws {
        #expect(try ReleaseManifest(reading: text(item("lib/a")), at: "m").entries.count == 1)
        for (bytes, says) in [
            (text(item("lib/a"), form: 2), "is not the list of a release that this fracas understands"),
            (Array("{}".utf8), "is not the list of a release"),
            (text(item("lib/a", kind: "device")), "is not the list of a release"),
            (text(item("../a")), "has the path '../a', which leads out of the tree"),
            (text(item("/a")), "which is absolute"),
            (text(item("a") + "," + item("a")), "has the path 'a' twice"),
        ] {
            let error = #expect(throws: DeploymentError.self) { try ReleaseManifest(reading: bytes, at: "m") }
            #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
        }
    }

    /// What was read to be staged, when the release was changed since it was found to be as signed.
    @Test func whatIsStagedIsHeldAgainstTheList() throws {
        let directory = "/var/tmp/fracas-test-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let manager = FileManager.default
        try manager.createDirectory(atPath: "\(directory)/lib", withIntermediateDirectories: true)
        func write(_ name: String, _ text: String) throws {
            try text.write(toFile: "\(directory)/\(name)", atomically: false, encoding: .utf8)
        }
        try write("lib/a", "one")
        try write("lib/b", "two")
        let signed = try ReleaseManifest(of: directory)
        func faults(new: Set<String> = []) throws -> [String] {
            signed.faults(of: try Scan.entries(of: directory, units: ["lib"]), new: new)
        }
        #expect(try faults().isEmpty && faults(new: ["lib", "lib/a", "lib/b"]).isEmpty)
        try write("lib/a", "0ne")
        #expect(try faults() == ["'lib/a' has other content"])
        try write("lib/a", "one")
        try write("lib/c", "three")
        #expect(try faults() == ["'lib/c' was added"])
        try manager.removeItem(atPath: "\(directory)/lib/c")
        try manager.removeItem(atPath: "\(directory)/lib/b")
        #expect(try faults() == ["'lib/b' is missing"])
        try write("lib/b", "two")
        try manager.setAttributes([.posixPermissions: 0o4755], ofItemAtPath: "\(directory)/lib/b")
        #expect(try faults() == ["'lib/b' has the permissions 4755, not 644"])
        try manager.setAttributes([.posixPermissions: 0o644], ofItemAtPath: "\(directory)/lib/b")
        // A directory that the tree has keeps its permissions; one that is new has those of the release.
        try manager.setAttributes([.posixPermissions: 0o700], ofItemAtPath: "\(directory)/lib")
        #expect(try faults().isEmpty)
        #expect(try faults(new: ["lib"]) == ["'lib' has the permissions 700, not 755"])
    }
}
