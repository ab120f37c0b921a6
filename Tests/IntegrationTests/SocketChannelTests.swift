import Checkers
import Foundation
import Reports
import Testing

/// Sockets of the Unix family between two roles are channels as pipes are, each direction one of its own.
@Suite("Socket channels")
struct SocketChannelTests {
    /// The child sends three letters, each by another call, and the parent answers each.
    private static let child = """
        os.write(tell, b"x")
        for send in (lambda w: os.write(b.fileno(), w), b.send, lambda w: b.sendmsg([w])):
            try: print("sent", send(b"x"), flush=True)
            except OSError as e: print("send failed", e.errno, flush=True); break
            try: print("answer", len(b.recv(1)), flush=True)
            except OSError as e: print("answer failed", e.errno, flush=True); break
        """
    /// A read that begins before the child's first call is not on the channel: the parent reads when there is something.
    private static let parent = """
        import select; select.select([told], [], []); os.read(told, 1)
        for receive in (lambda: os.read(a.fileno(), 1), lambda: a.recv(1), lambda: a.recvmsg(1)[0]):
            try: word = receive()
            except OSError as e: print("receive failed", e.errno, flush=True); break
            if not word: break
            a.send(b"y")
        a.close(); os.wait()
        """
    private static let pairs = [
        Pair.unix,
        (
            setup: "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)", inChild: "a.close()",
            inParent: "b.close()"
        ),
        (
            setup: """
            s = socket.socket(socket.AF_UNIX); s.bind("/tmp/here"); s.listen()
            b = socket.socket(socket.AF_UNIX); b.connect("/tmp/here"); a = s.accept()[0]; os.unlink("/tmp/here")
            """, inChild: "a.close(); s.close()", inParent: "b.close(); s.close()"
        ),
    ]

    private func run(_ pair: Int, _ faults: String, _ seen: String) throws -> RunSummary {
        // A call counts as the channel's once the process at its other end has made its first one.
        var shared = Self.pairs[pair]
        shared.setup += "\ntold, tell = os.pipe()"
        let (_, summary) = try Command.run(
            scenario: Pair.scenario(
                parent: Self.parent, child: Self.child, over: shared, faults: faults,
                extra: Pair.looksFor(seen)))
        return summary
    }

    @Test(arguments: [0, 1, 2])
    func bothEndsAndEveryCallCount(pair: Int) throws {
        // The first is on the pipe by which the child says that it is there.
        let calls = "[write, sendto, sendmsg]"
        let sent = try run(
            pair, "{errno: EPIPE, at: {roles: child, call: \(calls), channel: data, nth: 4}}", "send failed 32")
        #expect(sent.findings.map(\.signature) == ["seen"], "\(sent)")
        let reads = "[read, recvfrom, recvmsg]"
        let received = try run(
            pair, "{errno: ECONNRESET, at: {roles: parent, call: \(reads), channel: data, nth: 4}}",
            "receive failed 104")
        #expect(received.findings.map(\.signature) == ["seen"], "\(received)")
    }

    /// The parent's answers go the other way: they are not on the channel.
    @Test func theOtherDirectionIsAnotherChannel() throws {
        let faults = """
            {errno: EPIPE, at: {roles: parent, call: [write, sendto, sendmsg], channel: data}}
            """
        let summary = try run(0, faults, "failed")
        #expect(summary.verdict == .inconclusive && summary.findings.isEmpty, "\(summary)")
        let answers = """
            {errno: EPIPE, at: {roles: child, call: [read, recvfrom, recvmsg], channel: data}}
            """
        #expect(try run(0, answers, "failed").findings.isEmpty)
    }

    /// What is sent before the listener accepts goes to the one who listens.
    @Test func whatIsSentBeforeItIsAcceptedCounts() throws {
        let shared = (
            setup: """
            s = socket.socket(socket.AF_UNIX); s.bind("/tmp/here"); s.listen()
            told, tell = os.pipe()
            """, inChild: "s.close()", inParent: ""
        )
        let child = """
            b = socket.socket(socket.AF_UNIX); b.connect("/tmp/here")
            for word in (b"a", b"b", b"c"):
                try: print("sent", os.write(b.fileno(), word), flush=True)
                except OSError as e: print("send failed", e.errno, word, flush=True)
            os.write(tell, b"x")
            """
        let parent = """
            os.read(told, 1); a = s.accept()[0]; print("got", len(a.recv(9)), flush=True); os.unlink("/tmp/here"); os.wait()
            """
        let (_, summary) = try Command.run(
            scenario: Pair.scenario(
                parent: parent, child: child, over: shared,
                faults: "{errno: EPIPE, at: {roles: child, call: write, channel: data, nth: 3}}",
                extra: Pair.looksFor("send failed 32 b.c")))
        #expect(summary.findings.map(\.signature) == ["seen"], "\(summary)")
    }

    /// A close is on whichever end it is.
    @Test func aCloseCounts() throws {
        let summary = try run(0, "{errno: EIO, at: {roles: parent, call: close, channel: data}}", "no such line")
        #expect(!summary.problems.contains { $0.text.contains("never fired") }, "\(summary)")
    }

    /// Nobody tells what is at the other end of a socket that was made in a network of the target's own: then the trial says so.
    @Test func aSocketOfAnotherNetworkIsToldOf() throws {
        var shared = Self.pairs[0]
        shared.setup =
            "import ctypes; c = ctypes.CDLL(None); assert c.unshare(0x40000000) == 0 or c.unshare(0x50000000) == 0\n"
            + shared.setup + "\ntold, tell = os.pipe()"
        func run(_ fault: String) throws -> RunSummary {
            try Command.run(
                scenario: Pair.scenario(
                    parent: Self.parent, child: Self.child, over: shared,
                    faults: "{name: f, errno: EPIPE, \(fault)}", extra: Pair.looksFor("send failed"))
            ).1
        }
        let missed = try run("at: {roles: child, call: sendto, channel: data}")
        #expect(missed.verdict == .inconclusive)
        #expect(missed.problems.contains { $0.text.contains("'f' is on a channel") }, "\(missed.problems)")
        // One that may be missed is no reason to doubt the rest.
        #expect(try run("optional: true, at: {roles: child, call: sendto, channel: data}").verdict == .held)
    }

    /// What goes to somebody else is not on the channel.
    @Test func aSocketWithinOneProcessIsNoChannel() throws {
        let child = """
            c, d = socket.socketpair()
            try: print("sent", c.send(b"x"), flush=True)
            except OSError as e: print("send failed", e.errno, flush=True)
            """
        let (_, summary) = try Command.run(
            scenario: Pair.scenario(
                parent: "os.wait()", child: child, over: Pair.unix,
                faults: "{errno: EPIPE, optional: true, at: {roles: child, call: sendto, channel: data}}",
                extra: Pair.looksFor("send failed")))
        #expect(summary.verdict == .held, "\(summary)")
    }
}
