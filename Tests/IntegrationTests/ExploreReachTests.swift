import Foundation
import Testing

/// What exploring looks at beside the calls of a trial without faults.
@Suite("Exploring what no trace shows")
struct ExploreReachTests {
    private func explore(_ program: String, _ scenario: String, _ trials: Int) throws -> (Command, tried: [String]) {
        let directory = try Command.temporaryDirectory(["target.py": program, "s.yaml": scenario])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try Command.run(
            [
                "explore", "s.yaml", "--python", Command.python, "--reports", "r", "--seed", "7", "--trials",
                "\(trials)",
            ], in: directory)
        let run = try #require(
            FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first, "\(command.errors)")
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/r/\(run)/tried.json"))
        let all = try #require(try JSONSerialization.jsonObject(with: data) as? [[String: Any]])
        return (command, all.compactMap { $0["verdict"] as? String == "violated" ? $0["what"] as? String : nil })
    }

    private static let scenario = """
        topology:
          processes:
            - {role: parent, command: ["${python}", "${here}/target.py"]}
          children:
            - {role: child, of: parent, start: fork}
        steps:
          - start: {}
          - wait: {log: ready, roles: parent}
          - stop: {roles: parent, signal: TERM}
            name: shutdown
            within: 4s
        expect:
          orphans: forbidden
          exits: [{roles: parent, allow: [0, TERM, KILL]}, {roles: child, allow: [0, TERM, KILL]}]

        """

    /// A parent that waits, and a child that ends when it is told, or also when its parent has gone.
    private static func waiting(isWatching: Bool) -> String {
        """
        import os, signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])
        r, w = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(w)
            if \(isWatching ? "True" : "False"): os.read(r, 1)
            else: signal.sigwait([signal.SIGUSR1])
            os._exit(0)
        os.close(r)
        print("ready", flush=True)
        signal.sigwait([signal.SIGTERM])
        os.close(w)
        os.kill(child, signal.SIGUSR1)
        os.wait()
        """
    }

    @Test func whoWaitsIsKilledWhileItWaits() throws {
        let atRest = "kill parent[0] while everything waits, before the request"
        let (command, tried) = try explore(Self.waiting(isWatching: false), Self.scenario, 30)
        #expect(tried.contains { $0.contains(atRest) }, "\(command.output)\(command.errors)")
        let (other, none) = try explore(Self.waiting(isWatching: true), Self.scenario, 30)
        #expect(!none.contains { $0.contains(atRest) }, "\(other.output)")
    }

    /// A supervisor with a thread that starts its child again. What it tells to stop it reads from a list, once.
    private static func supervisor(looksAgain: Bool) -> String {
        """
        import os, signal, subprocess, threading
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        lock, stopping, current = threading.Lock(), False, None
        tell = lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        def keep():
            global current
            while True:
                with lock:
                    if stopping: return
                one = subprocess.Popen(["sleep", "60"], preexec_fn=tell)
                with lock:
                    current = one
                    if stopping and \(looksAgain ? "True" : "False"): one.terminate()
                one.wait()
        keeper = threading.Thread(target=keep)
        keeper.start()
        while current is None: os.sched_yield()
        print("ready", flush=True)
        signal.sigwait([signal.SIGTERM])
        with lock:
            stopping = True
            current.terminate()
        keeper.join()
        """
    }

    @Test func theStopComesWhileAChildIsStartedAgain() throws {
        let scenario = Self.scenario.replacingOccurrences(
            of: "start: fork", with: "start: spawn, command: sleep")
        let (command, tried) = try explore(Self.supervisor(looksAgain: false), scenario, 60)
        #expect(
            tried.contains { $0.contains("kill parent[0].child[0] while everything waits, then ask at") },
            "\(command.output)\(command.errors)")
        let (other, none) = try explore(Self.supervisor(looksAgain: true), scenario, 60)
        #expect(!none.contains { $0.contains("then ask at parent[0]") }, "\(none) \(other.output)")
    }

    /// A child that makes a group of its own, and a parent that tells the group to stop; it waits for the group first, or not.
    private static func forwarding(waits: Bool) -> String {
        """
        import os, signal
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        r, w = os.pipe()
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            os.write(w, b".")
            signal.sigwait([signal.SIGTERM])
            os._exit(0)
        if \(waits ? "True" : "False"): os.read(r, 1)
        print("ready", flush=True)
        signal.sigwait([signal.SIGTERM])
        try: os.kill(-child, signal.SIGTERM)
        except ProcessLookupError: pass
        os.wait()
        """
    }

    @Test func aGroupThatIsNotThereYetIsAPlace() throws {
        let (command, tried) = try explore(Self.forwarding(waits: false), Self.scenario, 40)
        #expect(tried.contains { $0.contains("setpgid") }, "\(command.output)\(command.errors)")
        let (other, none) = try explore(Self.forwarding(waits: true), Self.scenario, 40)
        #expect(
            !none.contains { $0.contains("delay it at parent[0].child[0], setpgid") && !$0.contains("kill") },
            "\(other.output)")
    }

    @Test func whatIsNotOpenIsNoPlace() throws {
        let program = """
            import os, signal
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            print("ready", flush=True)
            signal.sigwait([signal.SIGTERM])
            for one in range(300, 900):
                try: os.close(one)
                except OSError: pass
            """
        let (command, _) = try explore(program, Self.scenario, 4)
        let places = command.output.components(separatedBy: "\n").first { $0.contains(" delay:") } ?? ""
        let known = places.components(separatedBy: " of ").dropFirst().first.map { Int($0.prefix { $0.isNumber }) ?? 0 }
        #expect(known.map { $0 > 0 && $0 < 100 } == true, "\(command.output)\(command.errors)")
    }
}
