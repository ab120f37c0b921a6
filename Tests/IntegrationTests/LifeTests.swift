import Checkers
import Foundation
import Reports
import Testing

/// Who lives, who has ended, and whose child somebody is, on real processes.
@Suite("Life")
struct LifeTests {
    /// A scenario of one Python process, `p`, and its children.
    private func run(
        _ python: String, children: String, steps: String = "{start: {}}, {wait: {exit: p}, within: 20s}",
        ready: String = "", expect: String, extra: String = "", programs: [String: BareProgram] = [:]
    ) throws -> RunSummary {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for (name, program) in programs { try program.write(to: "\(directory)/\(name)") }
        let lines = python.split(separator: "\n").map { "            " + $0 }.joined(separator: "\n")
        try """
        topology:
          processes:
            - role: p
              command:
                - ${python}
                - -u
                - -c
                - |
        \(lines)
                - ${here}
              \(ready.isEmpty ? "" : "ready: {log: \(ready)}")
          children: [\(children)]
        steps: [\(steps)]
        \(extra)
        expect: {\(expect)}
        """.write(toFile: "\(directory)/s.yaml", atomically: true, encoding: .utf8)
        let command = try Command.run(["run", "s.yaml", "--format", "json", "--python", Command.python], in: directory)
        return try #require(
            try? JSONDecoder().decode(RunSummary.self, from: Data(command.output.utf8)),
            "no summary; standard error: \(command.errors)")
    }

    private func signatures(_ summary: RunSummary) -> [String] { summary.findings.map(\.signature).sorted() }

    // MARK: zombies

    /// A parent that does not wait for its child, and says when it has got the child's end of a pipe.
    private func unreaped(_ end: String, parent: String = "while True: time.sleep(60)") -> String {
        """
        import os, signal, sys, time
        r, w = os.pipe()
        if os.fork() == 0:
            os.close(r)
            print("last words", flush=True)
            \(end)
        os.close(w)
        print("up")
        os.read(r, 1)
        \(parent)
        """
    }

    @Test(arguments: [
        "while True: time.sleep(60)", "while True: os.write(1, b'x' * 300 + b'\\n')",
    ])
    func whoHasEndedIsNotWaitedForByItsParent(parent: String) throws {
        let steps = "{start: {}}, {wait: {exit: c}, within: 20s}, {stop: {roles: p, signal: KILL}}"
        func ends(_ end: String) throws -> RunSummary {
            try run(
                unreaped(end, parent: parent), children: "{role: c, of: p, start: fork, count: 1}", steps: steps,
                ready: "up", expect: "exits: [{roles: p, allow: KILL}]",
                extra: "limits: {output: 1GiB, records: 10000000}")
        }
        let held = try ends("os._exit(0)")
        #expect(held.verdict == .held, "\(held)")
        // How it ended is told by who has not been waited for.
        #expect(try signatures(ends("os._exit(3)")) == ["exit 3 of p.c"])
        #expect(try signatures(ends("os.kill(os.getpid(), signal.SIGSEGV)")) == ["SIGSEGV of p.c"])
    }

    @Test func aDeadChildIsLeftToInitUnlessTheScenarioForbidsIt() throws {
        func leaves(_ child: String, _ expect: String) throws -> RunSummary {
            try run(
                unreaped(child, parent: "os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | os.WNOHANG); os._exit(0)"),
                children: "{role: c, of: p, start: fork, count: 1}", expect: expect, extra: "limits: {orphan-grace: 1s}"
            )
        }
        let held = try leaves("os._exit(0)", "")
        #expect(held.verdict == .held, "\(held)")
        // A child that lives is an orphan all the same.
        #expect(try signatures(leaves("os.close(w); time.sleep(600)", "")) == ["orphan of p.c"])
        #expect(
            try leaves("os.close(w); time.sleep(600)", "orphans: allowed, exits: [{roles: c, allow: [0, KILL]}]")
                .verdict
                != .violated)
    }

    @Test func zombiesAreFoundWhereTheyAreForbidden() throws {
        func ends(waits: Bool, _ expect: String) throws -> RunSummary {
            try run(
                """
                import os
                child = os.fork()
                if child == 0: os._exit(0)
                os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
                \(waits ? "os.waitpid(child, 0)" : "")
                os._exit(0)
                """, children: "{role: c, of: p, start: fork, count: 1}", expect: expect)
        }
        #expect(try signatures(ends(waits: false, "zombies: forbidden")) == ["zombie of p.c"])
        #expect(try ends(waits: true, "zombies: forbidden").verdict == .held)
        #expect(try ends(waits: false, "").verdict == .held)
        #expect(try ends(waits: false, "zombies: allowed").verdict == .held)
    }

    /// Whoever has ended cannot be killed any more, though a signal to it would not fail.
    @Test func aDeadChildIsNoTarget() throws {
        func kill(_ end: String, _ wait: String) throws -> RunSummary {
            try run(
                """
                import os, signal
                r, w = os.pipe()
                child = os.fork()
                if child == 0:
                    \(end)
                \(wait)
                os.getuid()
                os.waitpid(child, 0)
                """, children: "{role: c, of: p, start: fork, count: 1}", expect: "",
                extra: "faults: [{name: k, kill: {roles: c, signal: KILL}, at: {roles: p, call: getuid}}]")
        }
        let dead = try kill("os._exit(0)", "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)")
        #expect(dead.verdict == .inconclusive)
        #expect(dead.problems.contains { $0.text.contains("'k' could not be injected") }, "\(dead.problems)")
        let alive = try kill("os.write(w, b'x'); signal.pause()", "os.read(r, 1)")
        #expect(alive.verdict == .held, "\(alive)")
    }

    /// A process has ended when its last thread has.
    @Test func aThreadThatOutlivesItsFirstKeepsItsProcessAlive() throws {
        let summary = try run(
            """
            import ctypes, os, threading, time
            r, w = os.pipe()
            if os.fork() == 0:
                libc = ctypes.CDLL(None)
                def stay():
                    me = os.getpid()
                    while "State:\\tZ" not in open(f"/proc/{me}/status").read(): time.sleep(0.001)
                    os.write(w, b"x")
                    time.sleep(600)
                threading.Thread(target=stay).start()
                libc.syscall(60, 0)
            os.read(r, 1)
            os._exit(0)
            """, children: "{role: c, of: p, start: fork, count: 1}", expect: "", extra: "limits: {orphan-grace: 1s}")
        #expect(signatures(summary) == ["orphan of p.c"], "\(summary)")
    }

    // MARK: programs without a C library

    @Test(
        .enabled(if: BareProgram.isPossible, "the program is of x86-64"),
        arguments: [BareProgram.Call.exitGroup, .exit])
    func aChildWithoutALibraryHasItsRole(end: BareProgram.Call) throws {
        func ends(_ code: UInt32) throws -> RunSummary {
            try run(
                "import subprocess, sys\nsubprocess.call([sys.argv[1] + '/bare'])",
                children: "{role: worker, of: p, start: spawn, command: bare, count: 1}",
                expect: "exits: [{roles: worker, allow: 0}]", programs: ["bare": BareProgram().call(end, code)])
        }
        let held = try ends(0)
        #expect(held.verdict == .held, "\(held)")
        #expect(try signatures(ends(3)) == ["exit 3 of p.worker"])
    }

    /// Nor does one that was forked need any other call than that which ends it.
    @Test(
        .enabled(if: BareProgram.isPossible, "the program is of x86-64"),
        arguments: [BareProgram.Call.exitGroup, .exit])
    func aForkWithoutALibraryHasItsRole(end: BareProgram.Call) throws {
        func ends(_ code: UInt32) throws -> RunSummary {
            try run(
                "import subprocess, sys\nsubprocess.call([sys.argv[1] + '/bare'])",
                children: "{role: bare, of: p, start: spawn, command: bare}, {role: fork, of: bare, start: fork}",
                expect: "exits: [{roles: fork, allow: 0}]",
                programs: [
                    "bare": BareProgram().fork(BareProgram().call(end, code)).call(.wait, .max, 0, 0).call(end, 0)
                ])
        }
        let held = try ends(0)
        #expect(held.verdict == .held, "\(held)")
        #expect(try signatures(ends(3)) == ["exit 3 of p.bare.fork"])
    }

    @Test(.enabled(if: BareProgram.isPossible, "the program is of x86-64"))
    func aProgramThatCouldNotBeStartedIsNobody() throws {
        let summary = try run(
            """
            import subprocess, sys
            for name in ("nowhere", "nowhere", "bare"):
                try: subprocess.call([sys.argv[1] + "/" + name])
                except OSError: pass
            """, children: "{role: worker, of: p, start: spawn, count: 1}",
            expect: "exits: [{roles: worker, allow: 7}]", programs: ["bare": BareProgram().call(.exitGroup, 7)])
        #expect(summary.verdict == .held, "\(summary)")
    }

    @Test(.enabled(if: BareProgram.isPossible, "the program is of x86-64"))
    func aProgramThatMakesNoCallCanBeSignalled() throws {
        let summary = try run(
            "import subprocess, sys\nc = subprocess.Popen([sys.argv[1] + '/bare'])\nprint('up')\nc.wait()",
            children: "{role: worker, of: p, start: spawn, command: bare, count: 1}",
            steps: "{start: {}}, {signal: {roles: worker, signal: TERM}}, {wait: {exit: p}, within: 20s}", ready: "up",
            expect: "", programs: ["bare": BareProgram().call(.pause).call(.exitGroup, 5)])
        #expect(summary.verdict == .held, "\(summary)")
    }

    // MARK: daemons

    private func daemon(_ parent: BareProgram, adoptedBy init: UInt8 = 1) -> [String: BareProgram] {
        let child = BareProgram().awaitParent(`init`).call(.exitGroup, 3)
        let whole = BareProgram().fork(child)
        return ["starter": whole.appending(parent)]
    }

    /// The daemon makes its first call that is stopped when its parent is no more.
    @Test(
        .enabled(if: BareProgram.isPossible, "the program is of x86-64"),
        arguments: [
            ("exit_group", BareProgram().call(.exitGroup, 0), ""), ("exit", BareProgram().call(.exit, 0), ""),
            ("signal", BareProgram().killItself(), ""),
            (
                "fault", BareProgram().call(.getuid).call(.pause),
                "faults: [{kill: KILL, at: {roles: starter, call: getuid}}]"
            ),
        ])
    func aDaemonIsItsStartersChild(how: String, parent: BareProgram, faults: String) throws {
        let summary = try run(
            "import subprocess, sys\nsubprocess.call([sys.argv[1] + '/starter'])",
            children:
                "{role: starter, of: p, start: spawn, command: starter}, {role: daemon, of: starter, start: fork, count: 1}",
            expect: "exits: [{roles: starter, allow: [0, KILL]}]", extra: faults, programs: daemon(parent))
        #expect(signatures(summary) == ["exit 3 of p.starter.daemon"], "\(how): \(summary)")
    }

    /// Nor does it matter who adopts it.
    @Test(.enabled(if: BareProgram.isPossible, "the program is of x86-64"))
    func aDaemonBelowASubreaperIsItsStartersChild() throws {
        let summary = try run(
            """
            import ctypes, os, subprocess, sys
            ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
            subprocess.call([sys.argv[1] + '/starter'])
            os.wait()
            """,
            children:
                "{role: starter, of: p, start: spawn, command: starter}, {role: daemon, of: starter, start: fork, count: 1}",
            expect: "", programs: daemon(BareProgram().call(.exitGroup, 0), adoptedBy: 2))
        #expect(signatures(summary) == ["exit 3 of p.starter.daemon"], "\(summary)")
    }

    /// A child that has its parent's role for its own: what is not a daemon of the starter's stays what it was.
    @Test(.enabled(if: BareProgram.isPossible, "the program is of x86-64"))
    func aDaemonOfSomebodyElseIsNotTheStarters() throws {
        let summary = try run(
            "import subprocess, sys\nsubprocess.call([sys.argv[1] + '/starter'])",
            children: "{role: daemon, of: p, start: fork}", expect: "exits: [{roles: daemon, allow: 0}]",
            programs: daemon(BareProgram().call(.exitGroup, 0)))
        // The starter has no role, so what it makes counts as its parent's, the nearest with one.
        #expect(signatures(summary) == ["exit 3 of p.daemon"], "\(summary)")
    }

    // MARK: namespaces of its own

    private static let nested = """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        # As root it is allowed alone, otherwise with a user namespace.
        if libc.unshare(0x20000000) and libc.unshare(0x30000000): raise OSError(ctypes.get_errno(), "unshare")
        def look(who):
            try: os.close(os.open("/dev/null", 0)); print(who, "OPENED", flush=True)
            except OSError as e: print(who, e.strerror, flush=True)
        look("parent")
        if os.fork() == 0:            # process 1 of the inner namespace
            if os.fork() == 0:        # process 2: the number that p has in the trial
                look("inner 2")
                os._exit(3)
            os.wait()
            os._exit(4)
        os.wait()
        look("parent")
        """

    @Test func processesOfANamespaceOfTheirOwnAreTheSame() throws {
        let refuse = "faults: [{errno: EIO, at: {under: p, call: openat, path: /dev/null, times: all}}]"
        let children = "{role: one, of: p, start: fork, count: 1}, {role: two, of: one, start: fork, count: 1}"
        let allowed = "exits: [{roles: one, allow: 4}, {roles: two, allow: 3}], forbid: {opened: OPENED}"
        let held = try run(Self.nested, children: children, expect: allowed, extra: refuse)
        #expect(held.verdict == .held, "\(held)")
        #expect(try signatures(run(Self.nested, children: children, expect: allowed)) == ["opened"])
        #expect(
            try signatures(run(Self.nested, children: children, expect: "", extra: refuse))
                == ["exit 3 of p.one.two", "exit 4 of p.one"])
    }
}
