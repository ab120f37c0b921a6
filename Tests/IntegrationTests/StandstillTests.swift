import Checkers
import Foundation
import Reports
import Testing

/// That nothing in a trial can go on is seen before a deadline passes; and is not seen while anything can.
@Suite("Standstills")
struct StandstillTests {
    /// One that both keep open at both ends.
    private static let pipe = (setup: "q, p = os.pipe()", inChild: "pass", inParent: "pass")

    /// A child and its parent that wait for each other: the parent for the child's end, and the child as it says.
    private func run(
        child: String, over shared: (setup: String, inChild: String, inParent: String) = Pair.pipe,
        parent: String = "os.wait()", faults: String = "", extra: String = ""
    ) throws -> RunSummary {
        let text = Pair.scenario(parent: parent, child: child, over: shared, faults: faults, extra: extra)
        return try Command.run(scenario: text).1
    }

    /// Calls without a time limit, in which only the other process could wake the child. The deadline is far away.
    @Test(arguments: [
        "os.read(q, 1)",
        "import select; select.select([q], [], [])",
        "import select; p = select.poll(); p.register(q); p.poll()",
        "import select; e = select.epoll(); e.register(q); e.poll()",
        "import select; e = select.epoll(); e.register(q); f = select.epoll(); f.register(e.fileno()); f.poll()",
        "signal.pause()",
        "signal.sigwait([signal.SIGUSR1])",
        "l = threading.Lock(); l.acquire(); l.acquire()",
        "t = threading.Thread(target=os.read, args=(q, 1)); t.start(); t.join()",
        "os.write(p, b'x' * 4_000_000)",
        "import asyncio; asyncio.run(asyncio.Event().wait())",
    ])
    func waitsWithoutALimitAreProven(child: String) throws {
        let summary = try run(child: child, over: Self.pipe)
        let hang = try #require(summary.findings.first { $0.checker == "hang" }, "\(summary)")
        #expect(hang.message.contains("cannot come: each of"), "\(hang.message)")
        #expect(hang.signature == "deadlock in end of parent")
    }

    @Test(arguments: [Pair.unix, Pair.tcp].map { [$0.setup, $0.inChild, $0.inParent] })
    func socketsThatOnlyTheTrialCanReach(shared: [String]) throws {
        let summary = try run(
            child: "b.recv(1)", over: (shared[0], shared[1], shared[2]), parent: "a.recv(1)")
        let hang = try #require(summary.findings.first { $0.checker == "hang" }, "\(summary)")
        #expect(hang.message.contains("cannot come: each of 2 threads"), "\(hang.message)")
    }

    /// All of these go on by themselves, later than a standstill is proven.
    @Test(arguments: [
        "time.sleep(0.9)",
        "signal.signal(signal.SIGALRM, lambda *_: None); signal.setitimer(signal.ITIMER_REAL, 0.9); signal.pause()",
        "signal.signal(signal.SIGALRM, lambda *_: os._exit(0)); signal.alarm(1); os.read(q, 1)",
        "import select; select.select([q], [], [], 0.9)",
        "import select; p = select.poll(); p.register(q); p.poll(900)",
        "import select; e = select.epoll(); e.register(q); e.poll(0.9)",
        "signal.sigtimedwait([signal.SIGUSR1], 0.9)",
        "threading.Lock().acquire(); e = threading.Event(); e.wait(0.9)",
        "t = threading.Thread(target=time.sleep, args=(0.9,)); t.start(); t.join()",
        "import asyncio; asyncio.run(asyncio.sleep(0.9))",
        "import struct; s, t = socket.socketpair(); limit = struct.pack('ll', 0, 900_000)\ntry: s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit); s.recv(1)\nexcept BlockingIOError: pass",
        "import ctypes; c = ctypes.CDLL(None); f = c.timerfd_create(1, 0); c.timerfd_settime(f, 0, (ctypes.c_long * 4)(0, 0, 0, 900_000_000), None); os.read(f, 8)",
        "import ctypes; c = ctypes.CDLL(None); f = c.timerfd_create(1, 0); c.timerfd_settime(f, 0, (ctypes.c_long * 4)(0, 0, 0, 900_000_000), None); import select; select.select([f], [], [])",
        "t = time.monotonic() + 0.9\nwhile time.monotonic() < t: pass",
    ])
    func whatGoesOnByItselfIsWaitedFor(child: String) throws {
        let summary = try run(child: child, over: Self.pipe)
        #expect(summary.verdict == .held, "\(summary)")
    }

    /// What Fracas itself holds, has stopped or will send goes on when Fracas says so.
    @Test(arguments: [
        "{delay: 900ms, at: {roles: child, call: getppid}}",
        "{stop: {for: 900ms}, at: {roles: child, call: getppid}}",
        "{kill: {roles: child, signal: USR1}, after: 900ms, of: end}",
    ])
    func whatFracasIsAboutToDoIsWaitedFor(fault: String) throws {
        let child =
            fault.contains("USR1")
            ? "signal.signal(signal.SIGUSR1, lambda *_: os._exit(0)); signal.pause()" : "os.getppid()"
        let summary = try run(child: child, faults: fault)
        #expect(summary.verdict == .held, "\(summary)")
    }

    @Test func whatOutlivesTheLastStepForGoodIsNotWaitedFor() throws {
        let summary = try run(
            child: "signal.pause()", parent: "pass", extra: "limits: {orphan-grace: 1000s, trial: 2000s}")
        #expect(summary.findings.contains { $0.signature == "orphan of parent.child" }, "\(summary)")
    }

    @Test func aPointThatCannotComeIsNotWaitedFor() throws {
        let text = Pair.scenario(
            parent: "os.wait()", child: "signal.pause()", extra: "points: {asks: {roles: child, call: getppid}}"
        ).replacingOccurrences(of: "- wait: {exit: parent}", with: "- wait: {point: asks}")
        let (_, summary) = try Command.run(scenario: text)
        #expect(summary.verdict == .inconclusive)
        let problems = summary.problems.map(\.text).joined(separator: "; ")
        #expect(problems.contains("'asks' did not come and cannot come: each of 2 threads"), "\(problems)")
    }
}
