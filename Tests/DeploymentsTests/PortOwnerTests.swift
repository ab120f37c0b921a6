import Foundation
import Testing

import Deployments

@Suite("Who answers at a port")
struct PortOwnerTests {
    private static let head =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

    private func line(_ address: String, _ state: String, _ inode: Int) -> String {
        "   0: \(address) 00000000:0000 \(state) 00000000:00000000 00:00000000 00000000  1000        0 \(inode) 1 0 100 0 0 10 0\n"
    }

    private func inodes(_ port: Int, _ old: String, _ new: String = "") -> [UInt64] {
        PortOwner.answering(port, Self.head + old, Self.head + new).map(\.inode)
    }

    @Test func onlyListenersOfThePortCount() {
        let text = line("0100007F:CE41", "0A", 1) + line("0100007F:CE42", "0A", 2) + line("0100007F:CE41", "01", 3)
        #expect(inodes(0xCE41, text) == [1])
        #expect(inodes(0xCE43, text) == [])
        #expect(inodes(80, line("0100007F:0050", "0A", 4)) == [4])
        #expect(PortOwner.answering(80, line("00000000:0050", "0A", 4), "").map(\.user) == [1000])
    }

    /// As the kernel chooses among them.
    @Test func theExactAddressGoesFirst() {
        let any = line("00000000:CE41", "0A", 1)
        let both = line("00000000000000000000000000000000:CE41", "0A", 2)
        #expect(inodes(0xCE41, any + line("0100007F:CE41", "0A", 3), both) == [3])
        #expect(inodes(0xCE41, any, both) == [1])
        #expect(inodes(0xCE41, "", both) == [2])
        #expect(inodes(0xCE41, any, line("0000000000000000FFFF00000100007F:CE41", "0A", 4)) == [4])
        // Another address of this machine takes none of ours.
        #expect(inodes(0xCE41, line("0200000A:CE41", "0A", 5)) == [])
    }

    /// Any of those that share a port may answer, so all count.
    @Test func allThatShareItCount() {
        #expect(inodes(0xCE41, line("0100007F:CE41", "0A", 1) + line("0100007F:CE41", "0A", 2)) == [1, 2])
    }

    @Test func whatRunsFromWhere() {
        func judge(_ program: String?, _ directory: String?, _ words: [String]) -> ProcessOrigin {
            ProcessOrigin.judge(
                program: program, directory: directory, words: words, root: "/opt/exo", kit: "/opt/exo/deployment",
                exists: { $0 != "/opt/exo/src/no.py" })
        }
        let python = "/usr/bin/python3.11"
        #expect(judge(python, "/", ["python3", "/opt/exo/src/a.py"]) == .tree("/opt/exo/src/a.py"))
        #expect(judge(python, "/opt/exo", ["python3", "src/a.py"]) == .tree("/opt/exo/src/a.py"))
        #expect(judge("/opt/exo/bin/exo", "/", ["exo"]) == .tree("/opt/exo/bin/exo"))
        #expect(judge(python, "/", ["exo", "--config=/opt/exo/exo.toml"]) == .tree("/opt/exo/exo.toml"))
        #expect(judge(python, "/opt/exo", ["python3", "-m", "exo"]) == .directory("/opt/exo"))
        // A directory whose name begins likewise, a file that is not there, the kit, a word that is no file.
        #expect(judge(python, "/opt/exo2", ["python3", "/opt/exo2/src/a.py"]) == .elsewhere)
        #expect(judge(python, "/", ["python3", "/opt/exo/src/no.py"]) == .elsewhere)
        #expect(judge(python, "/opt/exo/deployment", ["sh", "deploy.sh"]) == .elsewhere)
        #expect(judge(python, "/", ["python3", "../opt/exo/src/../../x.py"]) == .elsewhere)
        #expect(judge(nil, nil, ["python3", "src/a.py"]) == .elsewhere)
        // What was put aside, or removed.
        let staged = "/opt/exo/deployment/.staging/src"
        #expect(judge(python, staged, ["python3", "/opt/exo/src/a.py"]) == .replaced(staged))
        #expect(judge("/opt/exo/bin/exo (deleted)", "/", ["exo"]) == .replaced("/opt/exo/bin/exo (deleted)"))
    }

    /// A service may divide its control group into some of its own, which are the service's as well.
    @Test func controlGroupsWithinOne() throws {
        let root = try scratchDirectory()
        defer { try? FileManager.default.removeItem(atPath: root) }
        for (name, text) in [("unit", ""), ("unit/workers", "7\n8\n"), ("unit/workers/deep", "9\n"), ("other", "5\n")] {
            try FileManager.default.createDirectory(atPath: "\(root)/\(name)", withIntermediateDirectories: true)
            try text.write(toFile: "\(root)/\(name)/cgroup.procs", atomically: true, encoding: .utf8)
        }
        #expect(Systemd.members("\(root)/unit", depth: 8)?.sorted() == [7, 8, 9])
        #expect(Systemd.members("\(root)/other", depth: 8) == [5])
        #expect(Systemd.members("\(root)/none", depth: 8) == nil)
    }

    @Test func versions() {
        #expect(Answerer.version(in: " 7.2\n", "") == "7.2")
        #expect(Answerer.version(in: "{\"version\": \"7.2\"}", "\"version\": \"([^\"]+)\"") == "7.2")
        #expect(Answerer.version(in: "exo 7.2", "[0-9.]+") == "7.2")
        #expect(Answerer.version(in: "exo", "[0-9.]+") == nil)
    }
}

@Suite("When a service is asked and started again")
struct RestartTests {
    @Test func looksAreOftenAtFirst() {
        #expect(Rhythm.pause(after: 0, most: 5_000_000_000) == 5_000_000)
        #expect(Rhythm.pause(after: 1_000_000_000, most: 5_000_000_000) == 100_000_000)
        #expect(Rhythm.pause(after: 900_000_000_000, most: 5_000_000_000) == 5_000_000_000)
        #expect(Rhythm.pause(after: 1_000_000_000, most: 0) == 0)
    }

    private func policy(_ isOn: Bool = true, pause: Int64 = 1000, limit: Int = 3) -> RestartPolicy {
        RestartPolicy(isOn: isOn, pause: pause, limit: limit, interval: 100_000)
    }

    @Test func pausesDoubleUpToTheLimit() {
        var times: [Int64] = []
        #expect(policy().next(&times, now: 0) == 1000)
        times = [0]
        #expect(policy().next(&times, now: 10) == 2000)
        times = [0, 10]
        #expect(policy().next(&times, now: 20) == 4000)
        times = [0, 10, 20]
        #expect(policy().next(&times, now: 30) == nil)
        // What is long ago does not count.
        #expect(policy().next(&times, now: 100_015) == 2000)
        #expect(times == [20])
        times = []
        #expect(policy(false).next(&times, now: 0) == nil)
        #expect(policy(limit: 0).next(&times, now: 0) == nil)
        // A pause that is longer than the longest is kept as it is, and none stays none.
        times = [1, 2]
        #expect(policy(pause: 90_000_000_000).next(&times, now: 3) == 90_000_000_000)
        #expect(policy(pause: 0).next(&times, now: 3) == 0)
    }

    @Test func whatACrashIs() {
        #expect(RestartPolicy.isCrash(9) && RestartPolicy.isCrash(3 << 8) && RestartPolicy.isCrash(11 | 0x80))
        #expect(!RestartPolicy.isCrash(0) && !RestartPolicy.isCrash(15) && !RestartPolicy.isCrash(2))
        #expect(RestartPolicy.text(3 << 8) == "exit code 3" && RestartPolicy.text(0x8b) == "signal 11")
    }
}
