import Certification
import Foundation
import Glibc
import Testing
import Topologies

private let cgroup = HostCapabilities.probe().cgroup?.unified

/// What runs leave on the host, and what they find there.
@Suite("What runs leave on the host", .serialized)
struct HostRemainsTests {
    private static let quick = """
        topology: {processes: [{role: t, command: [/bin/true], ready: exit}]}
        steps: [{start: {}}]
        """

    private func groups() -> [String] {
        (cgroup.flatMap { try? FileManager.default.contentsOfDirectory(atPath: $0) } ?? []).filter {
            $0.hasPrefix("fracas-")
        }
    }

    /// A process id that nobody has, for its process has ended.
    private func gone() throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/true")
        try process.run()
        process.waitUntilExit()
        return process.processIdentifier
    }

    @Test(.enabled(if: cgroup != nil, "this host gives no cgroup"))
    func groupsOfTheDeadAreToldOfAndRemoved() throws {
        let place = try #require(cgroup)
        let (dead, own) = ("fracas-\(try gone())-1", "fracas-\(getpid())-1")
        // Of one whose id somebody else has by now.
        let older = "fracas-\(getpid())-1-1"
        for name in ["\(dead)/below/deep", "\(dead).0", own, older] {
            try FileManager.default.createDirectory(atPath: "\(place)/\(name)", withIntermediateDirectories: true)
        }
        defer { rmdir("\(place)/\(own)") }
        let doctor = try Command.run(["doctor"], in: "/")
        #expect(doctor.output.contains("cgroups of runs that are gone"), "\(doctor.output)")
        let (command, _) = try Command.run(scenario: Self.quick)
        #expect(command.status == 0, "\(command)")
        let left = groups()
        #expect(!left.contains { $0.hasPrefix(dead) || $0 == older } && left.contains(own), "\(left)")
    }

    /// A target cannot make groups in its trial's, not even as root: there is nothing of that kind to remove.
    @Test(.enabled(if: cgroup != nil && geteuid() == 0, "only root can make groups in a trial's"))
    func noTargetMakesGroups() throws {
        let place = try #require(cgroup)
        let program = """
            g=$(sed -n 's/^0:://p' /proc/self/cgroup); d=\(place)/${g##*/}
            ! mkdir -p $d/below/deep
            """
        let (command, _) = try Command.run(
            scenario: """
                topology:
                  processes:
                    - role: t
                      command: [/bin/sh, "${here}/make.sh"]
                      ready: exit
                steps: [{start: {}}]
                """, files: ["make.sh": program])
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        #expect(!groups().contains { FileManager.default.fileExists(atPath: "\(place)/\($0)/below") })
    }

    /// The disk is full: the verdict comes first, and says that it rests on less than it should.
    @Test(.enabled(if: geteuid() == 0, "only root can mount a small disk"), arguments: [("16k", 0), ("16k", 1)])
    func aFullDiskTakesNoVerdictAway(size: String, code: Int) throws {
        let scenario = """
            topology: {processes: [{role: t, command: [/bin/sh, -c, "exit \(code)"]}]}
            steps: [{start: {}}, {wait: {exit: t}}]
            """
        let directory = try Command.temporaryDirectory(["s.yaml": scenario, "small/x": ""])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.arguments = [
            "-m", "sh", "-c",
            "mount -t tmpfs -o size=\(size) tmpfs small && exec \"$0\" run s.yaml --trials 9 --reports small/r",
            Command.program,
        ]
        let (status, text) = try process.runToEnd()
        #expect(status == (code == 0 ? 3 : 1), "\(text)")
        #expect(text.contains("\(code == 0 ? "inconclusive" : "violated"): 9 trials"), "\(text)")
        #expect(text.contains("No space left on device") && text.contains("--reports"), "\(text)")
        #expect(!text.contains("NSCocoaErrorDomain"), "\(text)")
    }

    @Test func aFileInTheWayOfReportsIsExplained() throws {
        let directory = try Command.temporaryDirectory(["s.yaml": Self.quick, "file": ""])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try Command.run(["run", "s.yaml", "--reports", "file/x"], in: directory)
        #expect(command.status == 2)
        #expect(command.errors.contains("file/x") && command.errors.contains("is a file: give --reports another place"))
    }
}
