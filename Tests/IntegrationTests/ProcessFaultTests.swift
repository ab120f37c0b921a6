import Certification
import Checkers
import Foundation
import Reports
import Scenarios
import Testing

/// Whether this host can give what a fault needs; where not, the reason is the one a user is told.
private func host(gives need: HostNeed) -> Bool { HostCapabilities.probe().lacking[need] == nil }

@Suite("Faults of whole processes")
struct ProcessFaultTests {
    private func seen(_ fault: String, _ pattern: String, child: String, parent: String = Pair.readAll) throws -> Bool {
        let text = Pair.scenario(parent: parent, child: child, faults: fault, extra: Pair.looksFor(pattern))
        let (_, summary) = try Command.run(scenario: text)
        #expect(summary.problems.isEmpty, "\(fault): \(summary.problems)")
        return summary.findings.contains { $0.signature == "seen" }
    }

    /// Opens a file when it has none too many, when it has, and then until it can again.
    private static let opens = """
        os.getppid()
        tries = 0
        while True:
            tries += 1
            try: os.close(os.open("/etc/hosts", 0)); break
            except OSError as e: error = e.errno
        print("failed", error if tries > 1 else "never", "and then opened")
        """

    @Test func descriptorsRunOut() throws {
        let fault = "{exhaust: {for: 1s}, at: {roles: child, call: getppid}}"
        #expect(try seen(fault, "failed 24 and then opened", child: Self.opens))
        #expect(try seen("{delay: 1ms, at: {roles: child, call: getppid}}", "failed never", child: Self.opens))
    }

    /// Who is frozen stands still as who is stopped does, but nobody can see it: `waitpid(2)` tells of a stopped child.
    @Test(.enabled(if: host(gives: .freezer), "this host gives no cgroup v2"))
    func frozenAndThawed() throws {
        let parent = "print('stopped' if os.WIFSTOPPED(os.waitpid(-1, os.WUNTRACED)[1]) else 'ended')"
        let child = "t = time.monotonic(); os.getppid(); print('stood still', time.monotonic() - t >= 0.1)"
        for (fault, told) in [("freeze", "ended"), ("stop", "stopped")] {
            let fault = "{\(fault): {for: 150ms}, at: {roles: child, call: getppid}}"
            #expect(try seen(fault, "stood still True", child: child, parent: "os.wait()"))
            #expect(try seen(fault, "^\(told)$", child: child, parent: parent))
        }
    }

    @Test(.enabled(if: host(gives: .freezer), "this host gives no cgroup v2"))
    func frozenForGoodIsAHang() throws {
        let text = Pair.scenario(
            child: "os.getppid()", faults: "{freeze: {}, at: {roles: child, call: getppid}}"
        ).replacingOccurrences(of: "within: 20s", with: "within: 300ms")
        let (_, summary) = try Command.run(scenario: text)
        #expect(summary.findings.map(\.checker).contains("hang"), "\(summary)")
    }

    @Test(.enabled(if: host(gives: .freezer), "this host gives no cgroup v2"))
    func starvedOfTheProcessor() throws {
        let child = """
            os.getppid()
            t = time.monotonic(); c = time.process_time()
            while time.monotonic() - t < 0.5: pass
            print("starved", (time.process_time() - c) / (time.monotonic() - t) < 0.25)
            """
        #expect(
            try seen("{starve: {share: 5, for: 2s}, at: {roles: child, call: getppid}}", "starved True", child: child))
    }

    @Test(.enabled(if: host(gives: .memoryController), "this host gives no memory controller"))
    func outOfMemory() throws {
        let child = "os.getppid(); x = bytearray(200 << 20); print('fine')"
        let fault = "{memory: {limit: 48MiB}, at: {roles: child, call: getppid}}"
        #expect(try seen(fault, "child 9$", child: child))
        #expect(try seen("{memory: {limit: 1GiB}, at: {roles: child, call: getppid}}", "fine", child: child))
    }

    @Test(.enabled(if: host(gives: .faketime), "libfaketime is not installed"))
    func clockJumps() throws {
        let child = """
            t = time.time(); m = time.monotonic(); os.getppid()
            print("jumped", round((time.time() - t) / 3600), time.monotonic() - m < 1800)
            """
        for (jump, hours) in [("2h", "2"), ("-2h", "-2")] {
            let fault = "{clock: {jump: \(jump)}, at: {roles: child, call: getppid}}"
            #expect(try seen(fault, "jumped \(hours) True", child: child))
        }
        #expect(try seen("{delay: 1ms, at: {roles: child, call: getppid}}", "jumped 0 True", child: child))
    }

    /// Time-outs count by another clock than the one that jumps: whatever waits goes on as if nothing were.
    @Test(
        .enabled(if: host(gives: .faketime), "libfaketime is not installed"),
        arguments: [
            "time.sleep(.05)", "threading.Event().wait(.05)", "asyncio.run(asyncio.sleep(.05))",
            "queue.Queue().get(timeout=.05)", "select.select([], [], [], .05)", "select.poll().poll(50)",
            "subprocess.run(['sleep', '60'], timeout=.05)", "a[0].settimeout(.05); a[0].recv(1)",
        ])
    func waitsGoOnWhenTheClockJumps(wait: String) throws {
        let child = """
            import asyncio, queue, select, subprocess
            a = socket.socketpair(); came = []
            def tried():
                t = time.monotonic()
                try: \(wait)
                except (TimeoutError, queue.Empty, subprocess.TimeoutExpired): pass
                came.append(.04 < time.monotonic() - t < 30)
            t = time.time(); tried(); os.getppid(); tried()
            print("went on", came, round((time.time() - t) / 3600), flush=True)
            """
        for (jump, hours) in [("2h", "2"), ("-2h", "-2")] {
            let fault = "{clock: {jump: \(jump)}, at: {roles: child, call: getppid}}"
            #expect(try seen(fault, "went on \\[True, True\\] \(hours)", child: child))
        }
    }

    /// A process in exit_group(2) acts on no signal any more: a stop there would be counted and have done nothing.
    @Test func whoEndsCannotBeStopped() throws {
        let (_, summary) = try Command.run(
            scenario: Pair.scenario(faults: "{stop: {for: 20ms}, at: {roles: child, call: exit_group}}"))
        #expect(summary.verdict == .inconclusive)
        #expect(summary.problems[0].text.contains("before a stop can act"), "\(summary.problems)")
    }

    /// What this host cannot do is said before anything is started, with the line it stands in.
    @Test func lackingIsAProblemOfTheFile() {
        let text = Pair.scenario(faults: "{clock: {jump: 2h}, at: {roles: child, call: getppid}}")
        let error = #expect(throws: ScenarioError.self) {
            try ScenarioLoader.load(
                text: text, path: "x.yaml", variables: ["python": "p"], lacking: [.faketime: "it is not there"])
        }
        #expect(error?.problems.first?.line ?? 0 > 0)
        #expect(error?.description.contains("cannot be injected on this host: it is not there") == true)
    }
}
