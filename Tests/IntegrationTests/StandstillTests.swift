import Checkers
import Foundation
import Glibc
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
        "import multiprocessing as m; l = m.Lock(); l.acquire(); l.acquire()",
        // An epoll goes on watching what its number means no more.
        "import select; e = select.epoll(); e.register(q); os.dup(q); os.dup2(0, q); e.poll()",
        "import select; e = select.epoll(); f = os.eventfd(0); e.register(f, 1); os.dup(f); os.dup2(q, f); e.poll()",
        "s = socket.create_server(('127.0.0.1', 0)); s.accept()",
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
        // The number that the epoll knows the timer by is a pipe's by then, and in the second one's child another timer's.
        "\(timer); import select; e = select.epoll(); e.register(f); os.dup(f); os.dup2(q, f); e.poll()",
        "\(timer); import select; e = select.epoll(); e.register(f)\nif os.fork() == 0: os.dup2(c.timerfd_create(1, 0), f); e.poll(); os._exit(0)\nos.wait()",
        "s = socket.create_server(('127.0.0.1', 0)); s.setsockopt(socket.IPPROTO_TCP, 9, 1); t = socket.create_connection(s.getsockname()); s.accept()",
        // A thread with descriptors of its own: its timer has the number of its process's pipe.
        "\(timer)\ndef own(): c.unshare(0x400); os.dup2(f, q); c.timerfd_settime(q, 0, (ctypes.c_long * 4)(0, 0, 0, 900_000_000), None); os.read(q, 8)\nt = threading.Thread(target=own); t.start(); t.join()",
        "t = time.monotonic() + 0.9\nwhile time.monotonic() < t: pass",
    ])
    func whatGoesOnByItselfIsWaitedFor(child: String) throws {
        let summary = try run(child: child, over: Self.pipe)
        #expect(summary.verdict == .held, "\(summary)")
    }

    /// A timer of 0.9 s, as descriptor `f`.
    private static let timer =
        "import ctypes; c = ctypes.CDLL(None); f = c.timerfd_create(1, 0); c.timerfd_settime(f, 0, (ctypes.c_long * 4)(0, 0, 0, 900_000_000), None)"

    /// Runs Fracas, and is a process outside of its trial: it takes what is handed to it, and after a while writes to that, and to the files
    /// beside it.
    private static let outside = """
        import array, ctypes, mmap, os, socket, subprocess, sys, threading, time
        server = socket.socket(socket.AF_UNIX)
        server.bind("outside")
        server.listen()
        fifo = os.open("fifo", os.O_RDWR)
        file = open("shared", "r+b")
        memory = mmap.mmap(file.fileno(), 4096)
        def serve():
            client = server.accept()[0]
            _, handed, _, _ = client.recvmsg(16, 64)
            # Longer than it takes to prove a standstill.
            time.sleep(1.2)
            for _, _, data in handed:
                for number in array.array("i", data[:4]):
                    os.write(number, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
            os.write(fifo, b"12345678")
            open("directory/fresh", "w").close()
            memory[0] = 1
            place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            ctypes.CDLL(None).syscall(202, ctypes.c_void_p(place), 1, 99, None, None, 0)
        threading.Thread(target=serve, daemon=True).start()
        sys.exit(subprocess.run(sys.argv[1:]).returncode)
        """
    /// Asks the process outside to do something later.
    private static let ask =
        "import array, fcntl, ctypes; o = socket.socket(socket.AF_UNIX); o.connect('outside'); hand = lambda f: o.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [f]))])"

    /// What comes from outside: by an end that was handed out, by a file that is shared, by a signal.
    @Test(arguments: [
        "r, w = os.pipe(); hand(w); os.close(w); o.close(); os.read(r, 1)",
        "r, w = os.pipe(); hand(w); os.read(r, 1)",
        "r, w = socket.socketpair(); hand(w.fileno()); w.close(); o.close(); r.recv(1)",
        "s = socket.create_server(('127.0.0.1', 0)); r = socket.create_connection(s.getsockname()); w = s.accept()[0]; hand(w.fileno()); w.close(); r.recv(1)",
        "r = os.eventfd(0); hand(r); os.read(r, 8)",
        "o.send(b'x'); signal.signal(signal.SIGIO, lambda *_: None); f = os.open('fifo', os.O_RDONLY | os.O_NONBLOCK); fcntl.fcntl(f, fcntl.F_SETOWN, os.getpid()); fcntl.fcntl(f, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK); signal.pause()",
        "o.send(b'x'); signal.signal(signal.SIGIO, lambda *_: None); f = os.open('directory', os.O_RDONLY); fcntl.fcntl(f, 1026, 4); signal.pause()",
        "o.send(b'x'); f = os.open('shared', os.O_RDONLY); c = ctypes.CDLL(None); c.mmap.restype = ctypes.c_void_p; p = c.mmap(None, 4096, 1, 1, f, 0); c.syscall(202, ctypes.c_void_p(p), 0, 0, None, None, 0)",
    ])
    func whatComesFromOutsideIsWaitedFor(program: String) throws {
        let directory = try Command.temporaryDirectory([
            "outside.py": Self.outside, "shared": String(repeating: "\0", count: 4096), "directory/x": "",
            "s.yaml": """
            topology:
              processes:
                - role: a
                  directory: ${here}
                  command: ["${python}", -c, "import os, signal, socket; \(Self.ask); \(program)"]
            steps: [{start: {}}, {wait: {exit: a}, within: 20s}]
            files: {writable: ["${here}"]}
            """,
        ])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        mkfifo("\(directory)/fifo", 0o600)
        let outside = Process()
        outside.executableURL = URL(fileURLWithPath: Command.python)
        outside.arguments = ["outside.py", Command.program, "run", "s.yaml", "--python", Command.python]
        outside.currentDirectoryURL = URL(fileURLWithPath: directory)
        let (status, text) = try outside.runToEnd()
        #expect(status == 0, "\(text)")
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
        #expect(
            problems.contains("'asks' did not come in step 'end' and cannot come: each of 2 threads"), "\(problems)")
    }
}
