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

    /// Tries to open a file before, during and after the fault; sleeps between them are the target's own.
    private static let opens = """
        for _ in range(3):
            try: os.close(os.open("/etc/hosts", 0)); print("opened")
            except OSError as e: print("failed", e.errno)
            os.getppid()
            time.sleep(0.15)
        """

    @Test func descriptorsRunOut() throws {
        let fault = "{exhaust: {for: 200ms}, at: {roles: child, call: getppid}}"
        #expect(try seen(fault, "failed 24", child: Self.opens))
        #expect(try seen("{exhaust: {roles: child}, at: {roles: child, call: getppid}}", "failed 24", child: Self.opens))
        #expect(try !seen("{delay: 1ms, at: {roles: child, call: getppid}}", "failed", child: Self.opens))
    }

    @Test(.enabled(if: host(gives: .freezer), "this host gives no cgroup v2"))
    func frozenAndThawed() throws {
        // Who is frozen cannot see it but by the time that is gone.
        let child = "t = time.monotonic(); os.getppid(); print('gone', time.monotonic() - t >= 0.2)"
        #expect(try seen("{freeze: {for: 250ms}, at: {roles: child, call: getppid}}", "gone True", child: child))
        #expect(try seen("{delay: 1ms, at: {roles: child, call: getppid}}", "gone False", child: child))
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
            print("starved", (time.process_time() - c) / (time.monotonic() - t) < 0.5)
            """
        #expect(try seen("{starve: {share: 10, for: 2s}, at: {roles: child, call: getppid}}", "starved True", child: child))
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
