import Checkers
import Foundation
import Reports
import Testing

@Suite("The command")
struct CommandTests {
    private func scenario(_ program: String, ready: String = "", steps: String, rest: String = "") -> String {
        """
        topology:
          processes:
            - role: node
              command: ["${python}", -u, -c, "\(program)"]
              \(ready)
        steps:
          - start: {}
            within: 2s
        \(steps)
        \(rest)
        """
    }

    @Test func deadlockIsAHangWithItsStack() throws {
        let program =
            "import threading\\nprint('up')\\ndef stuck_here():\\n  threading.Lock().acquire(); l=threading.Lock(); l.acquire(); l.acquire()\\nstuck_here()"
        let text = scenario(
            program, ready: "env: {PYTHONFAULTHANDLER: \"1\"}\n      ready: {log: up}",
            steps: "  - stop: {roles: node}\n    within: 300ms")
        let (command, summary) = try Command.run(scenario: text)
        #expect(command.status == 1)
        let finding = try #require(summary.findings.first { $0.checker == "hang" })
        #expect(finding.message.contains("futex"), "\(finding.message)")
        #expect(finding.message.contains("stuck_here"), "\(finding.message)")
    }

    /// An orphan and what it listens on; its files it may still take away, and a datagram socket and a connection's two ends are no
    /// open port.
    @Test(arguments: [
        ("s=socket.create_server(('127.0.0.1',4242))", true),
        ("s=socket.create_server(('::1',4242),family=socket.AF_INET6)", true),
        ("s=socket.socket(type=socket.SOCK_DGRAM); s.bind(('127.0.0.1',4242))", false),
        (
            "l=socket.create_server(('127.0.0.1',4242)); s=socket.create_connection(('127.0.0.1',4242)); t=l.accept(); l.close()",
            false
        ),
    ])
    func orphansAndTheirPortsAreFound(opens: String, listens: Bool) throws {
        let program =
            "import os,socket,signal\\nopen('/tmp/left','w')\\nopen('/dev/shm/sem.x','w')\\nif os.fork()==0:\\n  \(opens)\\n  print('up')\\n  signal.pause()\\nsignal.pause()"
        let (_, summary) = try Command.run(
            scenario: scenario(
                program, ready: "ready: {log: up}", steps: "  - stop: {roles: node, signal: KILL}\n",
                rest: "limits: {orphan-grace: 100ms}"))
        let found = Set(summary.findings.map(\.signature))
        #expect(
            found == Set(["orphan of a process without a role"] + (listens ? ["port left open"] : [])), "\(summary)")
    }

    /// What the host itself has below /tmp and a trial may see is no leak, however much it is, and hides none.
    @Test func aLeakBesideManyOfTheHostsFilesIsFound() throws {
        let directory = "/tmp/fracas-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for number in 0..<1100 {
            try #require(FileManager.default.createFile(atPath: "\(directory)/\(number)", contents: nil))
        }
        func found(_ program: String) throws -> [String] {
            let (_, summary) = try Command.run(
                scenario: scenario(
                    program, steps: "  - wait: {exit: node}", rest: "files: {writable: [\(directory)]}"))
            return summary.findings.map(\.signature)
        }
        #expect(try found("open('/tmp/left','w')") == ["file left in /tmp"])
        #expect(try found("open('\(directory)/new','w')").isEmpty)
    }

    @Test func leaksOfACleanEndAreFound() throws {
        let program = "open('/tmp/left','w')\\nopen('/dev/shm/sem.x','w')"
        let (_, summary) = try Command.run(scenario: scenario(program, steps: "  - wait: {exit: node}"))
        #expect(Set(summary.findings.map(\.signature)) == ["file left in /tmp", "semaphore left in /dev/shm"])
    }

    @Test func whatCannotStartIsInconclusive() throws {
        for command in [
            "[/nonexistent/program]", "[no-such-program-anywhere]", "[\"${python}\", -c, \"raise SystemExit(1)\"]",
        ] {
            let text = """
                topology: {processes: [{role: node, command: \(command), ready: {log: never}}]}
                steps: [{start: {}}]
                """
            let (run, summary) = try Command.run(scenario: text)
            #expect(summary.verdict == .inconclusive, "\(command): \(summary)")
            #expect(run.status == 3)
            #expect(!summary.problems.isEmpty)
        }
    }

    @Test func badInputIsExplained() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try "topology: [".write(toFile: "\(directory)/bad.yaml", atomically: true, encoding: .utf8)
        let cases: [([String], String)] = [
            (["run", "bad.yaml"], "bad.yaml:"), (["run", "none.yaml"], "is not there"),
            (["certify"], "--target"), (["certify", "--target", "/nonexistent"], "not a directory"),
            (["run", "bad.yaml", "--jobs", "0"], "--jobs"), (["frobnicate"], "Usage"),
            (["check", "/nonexistent"], "is not there"), (["run", "bad.yaml", "--set", "x"], "name=value"),
            (["certify", "--target", Command.root + "/fixtures/exo"], "--release"),
            (["certify", "--target", Command.root + "/fixtures/exo", "--release", "x"], "has no release 'x'"),
        ]
        for (arguments, message) in cases {
            let command = try Command.run(arguments, in: directory)
            #expect(command.status == 2, "\(arguments): \(command.errors)")
            #expect(command.errors.contains(message), "\(arguments): \(command.errors)")
            #expect(command.output.isEmpty)
        }
    }

    @Test func storedRunGivesTheSameVerdict() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for (code, status) in [(0, Int32(0)), (1, 1)] {
            let text = scenario("raise SystemExit(\(code))", steps: "  - wait: {exit: node}")
            try text.write(toFile: "\(directory)/s\(code).yaml", atomically: true, encoding: .utf8)
            let run = try Command.run(
                ["run", "s\(code).yaml", "--python", Command.python, "--reports", "r\(code)"], in: directory)
            #expect(run.status == status, "\(run.output) \(run.errors)")
            let name = try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r\(code)").first)
            #expect(try Command.run(["check", "r\(code)/\(name)"], in: directory).status == status)
            #expect(try Command.run(["report", "r\(code)/\(name)"], in: directory).status == 0)
            let ledger = "\(directory)/r\(code)/\(name)/ledgers/trial-00001-s\(code).jsonl"
            let whole = try String(contentsOfFile: ledger, encoding: .utf8)
            let cut = whole.split(separator: "\n").dropLast(1).joined(separator: "\n") + "\n"
            try cut.write(toFile: ledger, atomically: true, encoding: .utf8)
            #expect(try Command.run(["check", ledger], in: directory).status == (code == 0 ? 3 : 1))
            try (cut + "{\"seq\": \"x\"}\n").write(toFile: ledger, atomically: true, encoding: .utf8)
            let broken = try Command.run(["check", ledger], in: directory)
            #expect(broken.status == 2)
            #expect(broken.errors.contains(".jsonl:"))
        }
    }

    @Test func doctorSpeaks() throws {
        let command = try Command.run(["doctor"], in: "/")
        #expect(command.output.contains("Linux"))
    }

    /// The last step is the start itself: nothing else would wait for what becomes of the program.
    @Test(arguments: [
        ("/nonexistent", Verdict.inconclusive, "could not be started"),
        ("/bin/false", .violated, "exit 1 of a"),
        ("/bin/true", .held, ""),
    ])
    func startIsNotOverBeforeTheProgramRuns(program: String, verdict: Verdict, says: String) throws {
        let (_, summary) = try Command.run(
            scenario: """
                topology:
                  processes:
                    - {role: a, command: ["\(program)"]}
                steps:
                  - start: {}
                """)
        #expect(summary.verdict == verdict)
        let said = summary.findings.map(\.signature) + summary.problems.map(\.text)
        #expect(says.isEmpty ? said.isEmpty : said.contains { $0.contains(says) }, "\(said)")
    }

    /// The run that is kept to be looked at, and that the guide quotes, is judged as it was.
    @Test func theKeptExampleIsJudgedAsItWas() throws {
        let directory = try Command.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let kept = "\(Command.root)/reports/example"
        try FileManager.default.copyItem(atPath: kept, toPath: "\(directory)/example")
        let command = try Command.run(["check", "example"], in: directory)
        #expect(command.status == 1, "\(command.output)\(command.errors)")
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(kept)/summary.json"))
        let summary = try JSONDecoder().decode(RunSummary.self, from: data)
        #expect(!summary.findings.isEmpty)
        for finding in summary.findings { #expect(command.output.contains(finding.signature), "\(command.output)") }
    }
}
