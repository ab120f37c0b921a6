import Checkers
import Foundation
import Reports
import Testing

/// That something comes, of real processes: readiness, a line, a port, a socket; and what it is called that it does not.
@Suite("What has to come")
struct LivenessTests {
    /// A scenario of one shell script, or of two, with these steps.
    private func run(
        _ script: String, again: String? = nil, ready: String = "{log: ready}", steps: String, faults: String = "",
        expect: String = "{exits: [{roles: a, allow: [0, TERM, KILL]}]}", _ arguments: [String] = []
    ) throws -> RunSummary {
        func process(_ role: String, _ script: String) -> String {
            let lines = script.split(separator: "\n").map { "            " + $0 }.joined(separator: "\n")
            return """
                    - role: \(role)
                      ready: \(ready)
                      command:
                        - sh
                        - -c
                        - |
                \(lines)
                """
        }
        let processes = [process("a", script)] + (again.map { [process("again", $0)] } ?? [])
        let text = """
            topology:
              processes:
            \(processes.joined(separator: "\n"))
            steps: [\(steps)]
            \(faults.isEmpty ? "" : "faults: [\(faults)]")
            expect: \(expect)
            """
        return try Command.run(scenario: text, arguments).1
    }

    private func signatures(_ summary: RunSummary) -> [String] { summary.findings.map(\.signature).sorted() }

    // MARK: words

    @Test func aProcessThatWorksOnHasNotEnded() throws {
        let summary = try run(
            "trap '' TERM; echo ready; while :; do sleep 0.05; done",
            steps: "{start: {}}, {stop: {roles: a, signal: TERM}, name: shutdown, within: 1s}")
        let finding = try #require(summary.findings.first, "\(summary)")
        #expect(finding.signature == "not ended in shutdown of a")
        #expect(finding.message.contains("a did not end within 1.") && finding.message.contains("born meanwhile"))
        #expect(finding.message.contains("it ignores SIGTERM"), "\(finding.message)")
        #expect(!finding.message.contains("deadlock"), "\(finding.message)")
    }

    @Test func aLostRequestIsTold() throws {
        let program =
            "import signal, socket; signal.signal(signal.SIGTERM, lambda *_: None); s = socket.create_server(('127.0.0.1', 80)); print('ready', flush=True)\nwhile True: s.settimeout(60); s.accept()"
        let summary = try run(
            "exec '\(Command.python)' -c \"\(program)\"",
            steps: "{start: {}}, {stop: {roles: a, signal: TERM}, name: shutdown, within: 1s}")
        let finding = try #require(summary.findings.first, "\(summary)")
        #expect(finding.signature == "not ended in shutdown of a")
        #expect(
            finding.message.contains("SIGTERM was delivered and handled, and it went back to waiting for connections"),
            "\(finding.message)")
    }

    // MARK: starts

    private static let service =
        "if [ -e /tmp/lock ]; then echo refused >&2; exit 1; fi; echo x >/tmp/lock; trap 'rm /tmp/lock; exit 0' TERM; echo ready; while :; do sleep 0.02; done"
    private static let restart =
        "{start: {roles: a}}, {stop: {roles: a, signal: TERM}, name: shutdown}, {start: {roles: again}, name: serve-again}, {stop: {roles: again, signal: TERM}, name: end}"

    @Test func aRestartThatIsRefusedAfterAKill() throws {
        let rules = "{when-killed: [{roles: a, leaks: {tmp: lock}}]}"
        let summary = try run(
            Self.service, again: Self.service, steps: Self.restart,
            faults: "{kill: {roles: a}, after: 0ms, of: shutdown}",
            expect: rules)
        #expect(signatures(summary) == ["exit 1 of again"], "\(summary)")
        let plain = try run(Self.service, again: Self.service, steps: Self.restart, expect: rules)
        #expect(plain.verdict == .held, "\(plain)")
    }

    @Test func theFirstStartThatFailsByItselfIsInconclusive() throws {
        let summary = try run("echo sorry; exit 1", steps: "{start: {}}")
        #expect(summary.verdict == .inconclusive)
        let problems = summary.problems.map(\.text).joined()
        #expect(problems.contains("a[0] ended with exit 1 before it printed /ready/"), "\(problems)")
        #expect(problems.contains("its last lines: \"sorry\""), "\(problems)")
    }

    /// The same process again: what it printed the first time does not count.
    @Test(arguments: [("ready", true), ("not yet", false)])
    func theSameProcessIsStartedAgain(second: String, holds: Bool) throws {
        let script =
            "trap 'exit 0' TERM; if [ -e /tmp/x ]; then echo \(second); else echo ready; fi; echo x >/tmp/x; while :; do sleep 0.02; done"
        let summary = try run(
            script,
            steps:
                "{start: {}}, {stop: {roles: a, signal: TERM}}, {start: {must: true}, name: again, within: \(holds ? 20 : 1)s}, {stop: {roles: a, signal: TERM}, name: end}",
            expect: "{leaks: {tmp: x}}")
        #expect(signatures(summary) == (holds ? [] : ["never came: /ready/ of a in again"]), "\(summary)")
    }

    /// A daemon's child says that it is ready when its parent has ended.
    @Test func whatAProcessHasMadeSpeaksForIt() throws {
        let program = """
            import os, time
            if os.fork(): os._exit(0)
            while os.getppid() != 1: time.sleep(0.01)
            print('ready', flush=True)
            """
        let summary = try run("exec '\(Command.python)' -c \"\(program)\"", steps: "{start: {}, within: 5s}")
        #expect(summary.verdict == .held, "\(summary)")
    }

    // MARK: lines

    @Test(arguments: [(true, "never came: /tick/ of a in tick"), (false, nil)])
    func aLineMustComeIfItIsSaid(isOwed: Bool, signature: String?) throws {
        let summary = try run(
            "echo ready; while :; do sleep 0.05; done",
            steps: "{start: {}}, {wait: {log: tick, roles: a, must: \(isOwed)}, name: tick, within: 500ms}")
        #expect(signatures(summary) == [signature].compactMap(\.self), "\(summary)")
        #expect(summary.verdict == (isOwed ? .violated : .inconclusive))
    }

    /// Nor is a line missed whose writer works on for a while and ends: its end is what the next step begins with.
    @Test func theLastLineOfAProcessCounts() throws {
        let program = """
            import os, signal, time
            def asked(*_):
                os.write(2, b'over\\n')
                end = time.monotonic() + (1 + time.time_ns() // 1000 % 6) / 1000
                while time.monotonic() < end: pass
                os._exit(0)
            signal.signal(signal.SIGTERM, asked)
            os.write(1, b'ready\\n')
            while True: time.sleep(1)
            """
        let steps =
            "{start: {}}, {stop: {roles: a, signal: TERM}}, {wait: {log: over, roles: a, must: true}, within: 5s}"
        let summary = try run("exec '\(Command.python)' -c \"\(program)\"", steps: steps, ["--trials", "60"])
        #expect(summary.verdict == .held, "\(summary)")
    }

    /// A line counts when its writer has left `write(2)`: a request to stop that comes at once finds no half-written line.
    @Test func aLineCountsOnceItIsWritten() throws {
        let program = """
            import signal, sys, time
            ended = False
            def asked(*_):
                global ended
                print('stopping', file=sys.stderr, flush=True)
                ended = True
            signal.signal(signal.SIGTERM, asked)
            try: print('ready', file=sys.stderr, flush=True)
            except RuntimeError as error: sys.stdout.write('lost the request')
            while not ended: time.sleep(0.05)
            """
        let steps = "{start: {}}, {stop: {roles: a, signal: TERM}, name: shutdown}"
        let script = "exec '\(Command.python)' -c \"\(program)\""
        let summary = try run(script, steps: steps, expect: "{forbid: {lost: lost the request}}", ["--trials", "10"])
        #expect(summary.verdict == .held, "\(summary)")
        // Whoever wants to meet the race asks for it: a point at the line comes before it is out.
        let aimed = try run(
            script, steps: "{start: {}}, {wait: {exit: a}, within: 5s}",
            faults: "{kill: TERM, at: {roles: a, line: ready}}", expect: "{forbid: {lost: lost the request}}")
        #expect(!aimed.problems.contains { $0.text.contains("never fired") }, "\(aimed)")
    }

    @Test func aTopologyIsReadyByAChildsLine() throws {
        func scenario(_ child: String) -> String {
            Pair.scenario(parent: "os.wait()", child: child).replacingOccurrences(
                of: "      command:", with: "      ready: {log: up, roles: parent.child}\n      command:")
        }
        let (_, summary) = try Command.run(scenario: scenario("print('up', flush=True)"))
        #expect(summary.verdict == .held, "\(summary)")
        let (_, silent) = try Command.run(scenario: scenario("print('down', flush=True)"))
        let problems = silent.problems.map(\.text).joined()
        #expect(problems.contains("parent[0].child[0] ended with exit 0 before it printed /up/"), "\(problems)")
    }

    // MARK: ports and sockets

    private static let client = "{run: {command: ['\(Command.python)', -c, \"import socket; %\"]}, name: asks}"

    @Test(arguments: [
        (
            "{port: 8000}", "s = socket.create_server(('127.0.0.1', 8000))",
            "socket.create_connection(('127.0.0.1', 8000))"
        ),
        (
            "{port: 8000}", "s = socket.create_server(('::', 8000), family=socket.AF_INET6)",
            "socket.create_connection(('::1', 8000))"
        ),
        (
            "{socket: /tmp/s}", "s = socket.socket(socket.AF_UNIX); s.bind('/tmp/s'); s.listen()",
            "socket.socket(socket.AF_UNIX).connect('/tmp/s')"
        ),
        (
            "{socket: /tmp/s}", "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('/tmp/s')",
            "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', '/tmp/s')"
        ),
    ])
    func readyIsWhoListens(ready: String, listens: String, asks: String) throws {
        let server = "exec '\(Command.python)' -c \"import signal, socket; \(listens); signal.pause()\""
        let steps =
            "{start: {}}, \(Self.client.replacingOccurrences(of: "%", with: asks)), {wait: \(ready), name: still, within: 5s}, {stop: {roles: a, signal: TERM}}"
        let summary = try run(
            server, ready: ready, steps: steps, expect: "{exits: [{roles: a, allow: TERM}], leaks: {tmp: s}}")
        #expect(summary.verdict == .held, "\(summary)")
    }

    @Test(arguments: ["{port: 8000}", "{socket: /tmp/s}"])
    func whoNeverListensIsNotReady(ready: String) throws {
        // One that is bound and does not listen, and a port beside it.
        let server =
            "exec '\(Command.python)' -c \"import signal, socket, time; s = socket.socket(); s.bind(('127.0.0.1', 8000)); t = socket.create_server(('127.0.0.1', 8001)); u = socket.socket(socket.AF_UNIX); u.bind('/tmp/s'); time.sleep(60)\""
        let steps = "{start: {must: true}, within: 1s}"
        let summary = try run(server, ready: ready, steps: steps)
        let name = ready.contains("port") ? "port 8000" : "socket /tmp/s"
        #expect(signatures(summary) == ["never came: \(name) of a in start"], "\(summary)")
    }

    // MARK: groups

    /// A shell and what it runs, as a terminal's Ctrl-C meets them: a child without a role gets it too.
    @Test(arguments: [(true, true), (false, false)])
    func aSignalToAWholeGroup(toGroup: Bool, ends: Bool) throws {
        let text = Pair.scenario(
            parent:
                "signal.signal(signal.SIGINT, lambda *_: None); print('up', flush=True); print(os.wait()[1], flush=True)",
            child: "signal.signal(signal.SIGINT, signal.SIG_DFL); print('up', flush=True); time.sleep(60)"
        ).replacingOccurrences(
            of: "  - wait: {exit: parent}\n    name: end\n    within: 20s",
            with:
                "  - wait: {log: up, roles: parent.child}\n  - wait: {log: up, roles: parent}\n  - stop: {roles: parent, signal: INT, group: \(toGroup)}\n    name: end\n    within: \(ends ? 20 : 1)s"
        )
        let (_, summary) = try Command.run(scenario: text)
        #expect(signatures(summary) == (ends ? [] : ["not ended in end of parent"]), "\(summary)")
    }
}
