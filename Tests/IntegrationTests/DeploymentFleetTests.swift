import Foundation
import Testing

/// Three hosts in small: three trees with three ports, deployed to one after another as the playbook in docs/fleet does it, which
/// goes on only while all is well. scenarios/deployments/fleet.sh has three real ones.
@Suite("Several hosts", .serialized)
struct DeploymentFleetTests {
    /// One after another, and no further after one that failed.
    /// - Returns: what each answered.
    private func serially(_ hosts: [DeployedTree], _ arguments: [String]) throws -> [(status: Int32, [String: Any])] {
        var answers: [(Int32, [String: Any])] = []
        for host in hosts {
            let answer = try host.json(DeployedTree.deploy, arguments)
            answers.append(answer)
            if answer.status != 0 { break }
        }
        return answers
    }

    private func release(_ host: DeployedTree) throws -> String {
        let status = try DeploymentAnswerTests.answer(
            ["service", "status", "--tree", host.root], in: host.directory, status: 0, "running")
        return (status["to"] as? [String: Any])?["release"] as? String ?? "none"
    }

    @Test func oneFailsAndTheOthersKeepWhatTheyHave() throws {
        let hosts = try (0..<3).map { _ in try LightTree.make() }
        defer { for host in hosts { host.remove() } }
        let shared = try Command.temporaryDirectory([
            "good/lib/version": "good\n", "better/lib/version": "better\n",
        ])
        defer { try? FileManager.default.removeItem(atPath: shared) }
        for host in hosts {
            try host.write("lib/version", "first\n")
            try host.start()
        }
        let (good, better) = (["--release", "\(shared)/good"], ["--release", "\(shared)/better"])
        var answers = try serially(hosts, good)
        #expect(answers.map(\.status) == [0, 0, 0])
        #expect(answers.allSatisfy { $0.1["changed"] as? Bool == true && $0.1["outcome"] as? String == "deployed" })
        // The same once more changes no host, and restarts none.
        let processes = try hosts.map { try $0.process() }
        answers = try serially(hosts, good)
        #expect(answers.map(\.status) == [0, 0, 0])
        #expect(answers.allSatisfy { $0.1["changed"] as? Bool == false && $0.1["outcome"] as? String == "unchanged" })
        #expect(try hosts.map { try $0.process() } == processes)
        // On the second one the next release is not healthy: it undoes it, the first one keeps it, the third one is not asked.
        try hosts[1].write("unfit", "")
        let service = hosts[1].text("service.py").replacingOccurrences(
            of: "        time.sleep(float(wait))\n",
            with: """
                        if open(root + "/lib/version").read() == "better\\n" and os.path.exists(root + "/unfit"):
                            status = 500
                        time.sleep(float(wait))

                """)
        try hosts[1].write("service.py", service)
        answers = try serially(hosts, better + ["--set", "HEALTH_CHECK_RETRIES=3"])
        #expect(answers.map(\.status) == [0, 1])
        let failed = try #require(answers.last)
        #expect(failed.status == 1 && failed.1["changed"] as? Bool == false && failed.1["exit"] as? Int == 1)
        #expect(failed.1["outcome"] as? String == "undone")
        #expect(hosts.map { $0.text("lib/version") } == ["better\n", "good\n", "good\n"])
        #expect(try hosts.map(release) == ["\(shared)/better", "\(shared)/good", "\(shared)/good"])
        #expect(try hosts[2].process() == processes[2])
        // The rollback play: those that have it go back, the others are left alone.
        for host in hosts where try release(host) == "\(shared)/better" {
            let rollback = try host.json(DeployedTree.rollback, ["latest"])
            #expect(rollback.status == 0 && rollback.object["changed"] as? Bool == true)
        }
        #expect(hosts.map { $0.text("lib/version") } == ["good\n", "good\n", "good\n"])
        for host in hosts { #expect(try host.serves()) }
    }
}
