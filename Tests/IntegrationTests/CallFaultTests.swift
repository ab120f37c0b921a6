import Checkers
import Foundation
import Reports
import Testing

@Suite("Faults at calls, on real processes")
struct CallFaultTests {
    private func run(
        _ fault: String, seen: String, parent: String = Pair.readAll, child: String = Pair.writeThree,
        over shared: (setup: String, inChild: String, inParent: String) = Pair.pipe, extra: String = ""
    ) throws -> RunSummary {
        let text = Pair.scenario(
            parent: parent, child: child, over: shared, faults: fault, extra: Pair.looksFor(seen) + "\n" + extra)
        let (_, summary) = try Command.run(scenario: text)
        #expect(summary.problems.isEmpty, "\(fault): \(summary.problems)")
        return summary
    }

    private func expect(
        _ fault: String, seen: String, parent: String = Pair.readAll, child: String = Pair.writeThree,
        over shared: (setup: String, inChild: String, inParent: String) = Pair.pipe, extra: String = ""
    ) throws {
        let summary = try run(fault, seen: seen, parent: parent, child: child, over: shared, extra: extra)
        #expect(summary.findings.map(\.signature).contains("seen"), "\(fault): \(summary)")
        if !fault.isEmpty { #expect(summary.scenarios[0].faultsFired >= 1) }
    }

    @Test func withoutAFaultNothingHappens() throws {
        try expect("", seen: "got abc$")
        #expect(try run("", seen: "failed|child [^0]").verdict == .held)
        for shared in [Pair.unix, Pair.tcp] {
            try expect("", seen: "^got b.xyzxyz", parent: Self.receive, child: Self.send, over: shared)
        }
    }

    @Test(arguments: [
        ("{errno: EIO, at: {roles: child, call: write, channel: data, nth: 2}}", "failed 5"),
        ("{errno: EIO, at: {roles: child, call: write, channel: data, nth: 2}}", "got ac$"),
        ("{errno: EINTR, at: {roles: child, call: write, channel: data, times: 2}}", "got abc$"),
        ("{errno: EAGAIN, at: {roles: child, call: write, channel: data, ready: true, nth: 2}}", "failed 11"),
        ("{return: 7, at: {roles: child, call: write, channel: data, nth: 2}}", "wrote 7$"),
        ("{return: 7, at: {roles: child, call: write, channel: data, nth: 2}}", "got ac$"),
        ("{kill: KILL, at: {roles: child, call: write, channel: data, nth: 3}}", "child 9$"),
        ("{kill: USR1, at: {roles: child, call: write, channel: data, nth: 1}}", "child 10$"),
        ("{kill: {roles: child, signal: TERM}, at: {roles: child, call: write, channel: data}}", "child 15$"),
        ("{delay: 30ms, at: {roles: child, call: write, channel: data, nth: 1}}", "got abc$"),
        ("{stop: {for: 30ms}, at: {roles: child, call: write, channel: data, nth: 2}}", "got abc$"),
        ("{close: peer, at: {roles: child, call: write, channel: data, nth: 2}}", "failed 32"),
        ("{close: own, at: {roles: child, call: write, channel: data, nth: 2}}", "got a$"),
        ("{close: peer, at: {roles: parent, call: read, channel: data, nth: 1}}", "got $"),
        ("{close: descriptor, at: {roles: child, call: write, channel: data, nth: 2}}", "failed 9"),
        ("{poke: {argument: 1, text: Z}, at: {roles: child, call: write, channel: data, nth: 2}}", "got aZc$"),
        ("{poke: {argument: 1, hex: 5a}, at: {roles: child, call: write, channel: data, nth: 2}}", "got aZc$"),
    ])
    func onEntry(fault: String, seen: String) throws { try expect(fault, seen: seen) }

    @Test(arguments: [
        // The call has run: its data arrives, whatever its caller is told.
        ("{errno: EIO, at: {roles: child, call: write, channel: data, nth: 2, on: exit}}", "failed 5"),
        ("{errno: EIO, at: {roles: child, call: write, channel: data, nth: 2, on: exit}}", "got abc$"),
        ("{return: 7, at: {roles: child, call: write, channel: data, nth: 2, on: exit}}", "wrote 7$"),
        ("{return: 7, at: {roles: child, call: write, channel: data, nth: 2, on: exit}}", "got abc$"),
        ("{delay: 20ms, at: {roles: child, call: write, channel: data, times: all, on: exit}}", "got abc$"),
        ("{stop: {for: 20ms}, at: {roles: child, call: write, channel: data, nth: 2, on: exit}}", "got abc$"),
        ("{kill: KILL, at: {roles: child, call: write, channel: data, nth: 2, on: exit}}", "got ab$"),
        ("{kill: KILL, at: {roles: child, call: write, channel: data, nth: 2, on: exit}}", "child 9$"),
        ("{poke: {argument: 1, text: Z}, at: {roles: parent, call: read, channel: data, on: exit}}", "got Zbc$"),
    ])
    func atReturn(fault: String, seen: String) throws { try expect(fault, seen: seen) }

    @Test func shortTransfersAreReal() throws {
        let write = "{short: 4, at: {roles: child, call: write, channel: data}}"
        try expect(write, seen: "wrote 4$", child: Pair.writeTen)
        try expect(write, seen: "got 0123$", child: Pair.writeTen)
        let reads = "os.wait(); print(os.read(r, 100), os.read(r, 100))"
        try expect(
            "{short: 4, at: {roles: parent, call: read, channel: data}}", seen: "b.0123. b.456789.", parent: reads,
            child: Pair.writeTen)
        let vector = "print('wrote', os.writev(w, [b'ab', b'cd', b'ef']))"
        try expect("{short: 1, at: {roles: child, call: writev, channel: data}}", seen: "wrote 2$", child: vector)
        let (_, none) = try Command.run(
            scenario: Pair.scenario(faults: "{short: 4, at: {roles: child, call: write, channel: data}}"))
        #expect(none.verdict == .inconclusive, "a write of one byte cannot be made shorter")
    }

    /// A call that waits and is broken off by signals is followed until it has its answer, and counted once. The parent reads
    /// when the child has shown itself: before, their pipe is no channel.
    @Test func blockedCallsAreFollowedThroughSignals() throws {
        let parent = """
            signal.signal(signal.SIGUSR1, lambda *a: None)
            os.eventfd_read(up)
            os.write(ready, b"1")
            print("got", os.read(r, 100).decode())
            print("child", os.wait()[1])
            """
        let child = """
            os.eventfd_write(up, 1)
            os.read(asked, 1)
            for _ in range(200): os.kill(os.getppid(), signal.SIGUSR1)
            os.write(w, b"x")
            """
        let shared = (
            setup: "asked, ready = os.pipe(); up = os.eventfd(0); r, w = os.pipe()", inChild: "pass",
            inParent: "os.close(w)"
        )
        let fault = "{delay: 1ms, at: {roles: parent, call: read, channel: data, on: exit, times: all}}"
        let summary = try run(fault, seen: "got x$", parent: parent, child: child, over: shared)
        #expect(summary.findings.map(\.signature) == ["seen"], "\(summary)")
        #expect(summary.scenarios[0].faultsFired == 1)
    }

    // MARK: sockets

    private static let receive = """
        print("child", os.wait()[1])
        got = b""
        try:
            while chunk := a.recv(100): got += chunk
        except OSError as e: print("broken", e.errno)
        print("got", got)
        """
    private static let send = """
        for _ in range(2):
            try: print("sent", b.send(b"xyz"))
            except OSError as e: print("failed", e.errno)
        """

    @Test(arguments: [
        ("peer", "failed 32", "got b.xyz.$"), ("own", "sent 3", "got b.xyz.$"), ("sending", "failed 32", "got b.xyz.$"),
    ])
    func socketsAreClosed(way: String, seen: String, received: String) throws {
        for shared in [Pair.unix, Pair.tcp] {
            let fault = "{close: \(way), at: {roles: child, call: sendto, nth: 2}}"
            try expect(fault, seen: seen, parent: Self.receive, child: Self.send, over: shared)
            try expect(fault, seen: received, parent: Self.receive, child: Self.send, over: shared)
        }
    }

    @Test func halfOfASocketIsClosedForReceiving() throws {
        let wait = "print('got', a.recv(100)); os.wait()"
        for shared in [Pair.unix, Pair.tcp] {
            try expect(
                "{close: receiving, at: {roles: parent, call: recvfrom}}", seen: "got b..$", parent: wait,
                child: "pass", over: (shared.setup, "signal.pause() if os.getppid() == 1 else None", "pass"))
        }
    }

    @Test func connectionsAreReset() throws {
        let fault = "{close: reset, at: {roles: child, call: sendto, nth: 2, peer: \"127.0.0.1:*\"}}"
        try expect(fault, seen: "broken 104", parent: Self.receive, child: Self.send, over: Pair.tcp)
        let unix = Pair.scenario(
            parent: Self.receive, child: Self.send, over: Pair.unix,
            faults: "{close: reset, at: {roles: child, call: sendto, nth: 2}}")
        #expect(try Command.run(scenario: unix).1.problems[0].text.contains("no TCP connection"))
    }

    // MARK: files

    @Test(arguments: [
        ("ENOSPC", "write", "28"), ("EDQUOT", "write", "122"), ("EIO", "fsync", "5"), ("EIO", "write", "5"),
    ])
    func filesFail(error: String, call: String, number: String) throws {
        let child = """
            f = os.open("/tmp/x", os.O_CREAT | os.O_WRONLY)
            for name, what in (("write", lambda: os.write(f, b"1")), ("fsync", lambda: os.fsync(f))):
                try: what(); print(name, "went well")
                except OSError as e: print(name, e.errno)
            os.unlink("/tmp/x")
            """
        let fault = "{errno: \(error), at: {roles: child, call: \(call), path: \"/tmp/*\"}}"
        try expect(fault, seen: "^\(call) \(number)$", child: child)
        try expect(fault, seen: "^\(call == "write" ? "fsync" : "write") went well$", child: child)
    }

    @Test func mapsAndForksFail() throws {
        let map = "import mmap\ntry: mmap.mmap(-1, 1 << 24)\nexcept OSError as e: print('failed', e.errno)"
        try expect(
            "{errno: ENOMEM, at: {roles: child, call: mmap, args: {1: \">= 0x1000000\"}}}", seen: "failed 12",
            child: map)
        let fork = "try: os.fork()\nexcept OSError as e: print('failed', e.errno)"
        try expect(
            "{errno: EAGAIN, at: {roles: child, call: [fork, vfork, clone, clone3]}}", seen: "failed 11", child: fork)
    }

    // MARK: lines and time

    @Test func lineIsCaughtBeforeItIsOut() throws {
        let child = "print('about to', flush=True)\nprint('went on', flush=True)"
        let about = try run(
            "{kill: KILL, at: {roles: child, line: \"^about\"}}", seen: "about to|went on", child: child)
        #expect(about.verdict == .held, "\(about)")
        try expect("{kill: KILL, at: {roles: child, line: \"^went\"}}", seen: "about to", child: child)
    }

    @Test func aFaultThatNeverFiresIsInconclusive() throws {
        let fault = "{kill: KILL, at: {roles: child, call: write, channel: data, nth: 99}}"
        let (command, summary) = try Command.run(scenario: Pair.scenario(faults: fault))
        #expect(summary.verdict == .inconclusive)
        #expect(command.status == 3)
        #expect(summary.problems[0].text.contains("never fired"))
    }

    @Test func anOptionalFaultNeedNotFire() throws {
        let fault = "{kill: KILL, optional: true, at: {roles: child, call: write, channel: data, nth: 99}}"
        let (command, summary) = try Command.run(scenario: Pair.scenario(faults: fault))
        #expect(summary.verdict == .held, "\(summary)")
        #expect(command.status == 0)
    }

    @Test func afterATime() throws {
        let child = "print('up', flush=True)\nsignal.pause()"
        let text = Pair.scenario(
            child: child, faults: "{kill: {roles: child}, after: 20ms, of: end}", extra: Pair.looksFor("child 9$")
        )
        .replacingOccurrences(of: "  - wait: {exit", with: "  - wait: {log: \"^up$\", roles: child}\n  - wait: {exit")
        let (_, summary) = try Command.run(scenario: text)
        #expect(summary.findings.map(\.signature) == ["seen"], "\(summary)")
    }
}
