import Foundation
import Testing

/// The built-in supervisor's keeper: owns the service, starts it again, and ends with it.
@Suite("A kept service", .serialized)
struct ServiceKeeperTests {
    private func keeper(_ tree: DeployedTree) throws -> pid_t {
        let record =
            try JSONSerialization.jsonObject(with: Data(tree.text("deployment/.service").utf8)) as? [String: Any]
        return try #require(record?["keeper"] as? pid_t)
    }

    /// Whether a process is there that is not a zombie.
    private func lives(_ pid: pid_t) -> Bool {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return !status.isEmpty && !status.contains(") Z ")
    }

    @Test func aCrashIsMendedAndCounted() throws {
        let tree = try LightTree.make(["SERVICE_RESTART_BACKOFF": "0"])
        defer { tree.remove() }
        try tree.start()
        let first = try tree.process()
        for number in 1...3 {
            try tree.crash(number == 2 ? SIGSEGV : SIGKILL)
            #expect(try tree.runsAgain() == number)
        }
        #expect(try tree.process() != first)
        let status = try tree.fracas("service", "status").output
        #expect(status.contains("service: started again 3 times; ended last by signal 9 at "), "\(status)")
        // Health is that of the one that runs now, and its log is the same one.
        #expect(try tree.fracas("service", "start").status == 0)
        #expect(try tree.newestLog("service_2", ".log").contains("fracas: the service ended by signal 11"))
        let keeper = try keeper(tree)
        #expect(lives(keeper))
        #expect(try tree.fracas("service", "stop").status == 0)
        #expect(!lives(keeper))
        #expect(try tree.fracas("service", "status").output == "stopped\n")
    }

    /// Who asks it to end, by whatever way, gets that.
    @Test(arguments: [SIGTERM, SIGINT, SIGHUP]) func anEndThatWasAskedForIsNone(signal: Int32) throws {
        let tree = try LightTree.make(["SERVICE_RESTART_BACKOFF": "0"])
        defer { tree.remove() }
        try tree.start()
        let keeper = try keeper(tree)
        try tree.crash(signal)
        let status = try tree.fracas("service", "status")
        #expect(status.status == 1 && !status.output.contains("about to be started again"), "\(status.output)")
        while lives(keeper) { sched_yield() }
        #expect(try tree.fracas("service", "status").status == 1)
    }

    /// A restart during the soak is a failure, also where the service is healthy again at once.
    @Test func aRestartWithinTheSoakFails() throws {
        let tree = try LightTree.make(["SERVICE_RESTART_BACKOFF": "0"])
        defer { tree.remove() }
        try tree.start()
        let (deploy, output) = try tree.begin(DeployedTree.deploy, [], ["HEALTH_SOAK": "86400"])
        _ = try output.text { $0.contains("wait until the service is healthy") }
        let before = tree.count("requests", "health")
        while tree.count("requests", "health") < before + 20 { sched_yield() }
        kill(pid_t(try tree.process()), SIGKILL)
        let text = String(decoding: output.readDataToEndOfFile(), as: UTF8.self)
        deploy.waitUntilExit()
        #expect(deploy.terminationStatus == 1 && text.contains("release in the tree: old"), "\(text)")
        #expect(try tree.serves())
    }

    /// A new start is a new life: with a new keeper, and nothing counted.
    @Test func aDeploymentStartsAnew() throws {
        let tree = try LightTree.make(["SERVICE_RESTART_BACKOFF": "0"])
        defer { tree.remove() }
        try tree.start()
        try tree.crash()
        #expect(try tree.runsAgain() == 1)
        let before = try keeper(tree)
        #expect(try tree.run(DeployedTree.deploy).status == 0)
        let now = try keeper(tree)
        #expect(!lives(before) && lives(now))
        #expect(try tree.fracas("service", "status").output.hasPrefix("running: process "))
        #expect(try tree.fracas("service", "status", "--format", "json").output.contains("\"restarts\" : 0"))
    }

    /// Without its keeper it goes on, that is said, and everything still works.
    @Test func aKeeperThatIsKilled() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        try tree.start()
        let (service, keeper) = (try tree.process(), try keeper(tree))
        kill(keeper, SIGKILL)
        while lives(keeper) { sched_yield() }
        let status = try tree.fracas("service", "status")
        #expect(status.output.hasPrefix("running: process \(service)\n"), "\(status.output)")
        #expect(status.output.contains("its keeper is gone"), "\(status.output)")
        #expect(try tree.run(DeployedTree.deploy).status == 0)
        #expect(try !tree.fracas("service", "status").output.contains("its keeper is gone"))
        #expect(!lives(pid_t(service)))
    }

    /// One that does not move any more, as when somebody stopped it, keeps nobody from stopping the service.
    @Test func aKeeperThatHangs() throws {
        let tree = try LightTree.make()
        defer { tree.remove() }
        try tree.start()
        let (service, keeper) = (try tree.process(), try keeper(tree))
        kill(keeper, SIGSTOP)
        #expect(try tree.fracas("service", "stop").status == 0)
        #expect(!lives(keeper) && !lives(pid_t(service)))
    }
}
