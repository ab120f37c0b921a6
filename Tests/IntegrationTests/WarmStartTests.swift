import Checkers
import Evidence
import Foundation
import Reports
import Scenarios
import Testing

/// A process that comes from an interpreter finds itself as one that was executed.
@Suite("Warm starts")
struct WarmStartTests {
    private static let scenario = """
        topology:
          processes:
            - role: node
              command: ["${python}", "${here}/script.py", "first", "two words", ""]
              env: {PYTHONPATH: "${here}", PYTHONFAULTHANDLER: "1", COLOUR: blue}
              directory: /usr
              ready: exit
              warm: {import: [asyncio, helper], path: ["${here}/modules"]}
        steps: [start: {}]
        expect: {raises: [ZeroDivisionError]}
        """

    /// Everything about a process that its start decides.
    private static let facts = """
        import faulthandler, json, os, signal, subprocess, sys, threading, helper
        def show(name, value): print(name, json.dumps(value))
        show("helper", helper.__file__)
        for name in ("argv", "orig_argv", "path", "executable", "prefix"): show(name, getattr(sys, name))
        show("flags", list(sys.flags))
        show("main", [__name__, __file__, __spec__, __cached__, type(__loader__).__name__, __doc__, __package__])
        show("environment", sorted(os.environ.items()))
        show("names", [open("/proc/self/comm").read(), open("/proc/self/cmdline").read().rstrip("\\0")])
        show("status", [line for line in open("/proc/self/status") if line.startswith(
            ("Umask", "Tgid", "PPid", "Uid", "Gid", "Groups", "NSpid", "SigIgn", "SigCgt", "SigBlk", "Threads", "NoNew"))])
        show("handlers", [str(signal.getsignal(number)) for number in range(1, 65) if number not in (32, 33)])
        show("open", sorted(os.readlink("/proc/self/fd/" + n).partition(":")[0] for n in "012" if os.path.exists("/proc/self/fd/" + n)))
        show("numbers", sorted(os.listdir("/proc/self/fd")))
        show("place", [os.getcwd(), os.getpgrp() == os.getpid(), threading.main_thread().native_id == os.getpid()])
        show("streams", [sys.stdout.encoding, sys.stdout.line_buffering, sys.stderr.errors, sys.stdin.fileno()])
        show("faulthandler", faulthandler.is_enabled())
        sys.stdout.flush()
        if os.fork() == 0:
            show("child", [os.getppid() == os.getpgrp(), len(threading.enumerate())])
            sys.stdout.flush()
            os._exit(0)
        os.wait()
        show("command", subprocess.run([sys.executable, "-c", "import sys; print(sys.argv)"], capture_output=True, text=True).stdout)
        try: 1 / 0
        except ZeroDivisionError: pass
        sys.stdout.flush()
        os.open(__file__, os.O_RDONLY)
        os.write(2, b"that is all\\n")
        """

    /// Runs a script both ways.
    /// - Returns: what each printed, in order, and how it ended; and what of the harness's own was found.
    private func bothWays(_ script: String) throws -> [(
        lines: [String], status: Scenarios.ExitStatus?, summary: RunSummary
    )] {
        let directory = try Command.temporaryDirectory([
            "s.yaml": Self.scenario, "script.py": script, "modules/helper.py": "", "helper.py": "",
        ])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        return try ["--no-warm", "--warm"].map { way in
            let reports = "\(directory)/\(way.dropFirst(2))"
            let command = try Command.run(
                ["run", "s.yaml", "--format", "json", "--python", Command.python, "--reports", reports, way],
                in: directory)
            let summary = try JSONDecoder().decode(RunSummary.self, from: Data(command.output.utf8))
            let run = try #require(FileManager.default.contentsOfDirectory(atPath: reports).first)
            let ledgers = "\(reports)/\(run)/ledgers"
            let name = try #require(FileManager.default.contentsOfDirectory(atPath: ledgers).first)
            let records = try LedgerFile.read("\(ledgers)/\(name)")
            var lines: [String] = []
            var status: Scenarios.ExitStatus?
            for record in records {
                if case .line(let line) = record.event { lines.append("\(line.stream): \(line.text)") }
                if case .process(let birth) = record.event {
                    let role = birth.subject.role?.description ?? "other"
                    lines.append("born: \(role) by \(birth.start) of \(birth.parent): \(birth.command)")
                }
                if case .holdings(let held) = record.event { lines.append("held at its end: \(held.descriptors)") }
                if case .exit(let exit) = record.event, exit.subject.role?.general == "node" { status = exit.status }
                if case .trial(let header) = record.event { #expect(header.isWarm == (way == "--warm" ? true : nil)) }
            }
            return (lines.sorted(), status, summary)
        }
    }

    @Test func aProcessFindsItselfAsIfExecuted() throws {
        let ways = try bothWays(Self.facts)
        #expect(ways[0].lines.contains("stderr: that is all"), "\(ways[0])")
        #expect(ways[0].lines.contains { $0.hasPrefix("born: node[0] by spawn of 1: ") }, "\(ways[0])")
        #expect(ways[0].lines.contains("held at its end: [\"file\": 1]"), "\(ways[0])")
        // The modules of the scenario's `path` are there; from the script on, imports look where they would have.
        let helper = ways.map { $0.lines.first { $0.hasPrefix("stdout: helper") } ?? "" }
        #expect(helper[0].hasSuffix("/helper.py\"") && !helper[0].hasSuffix("/modules/helper.py\""))
        #expect(helper[1].hasSuffix("/modules/helper.py\""))
        #expect(
            ways[0].lines.filter { !$0.hasPrefix("stdout: helper") }
                == ways[1].lines.filter { !$0.hasPrefix("stdout: helper") })
        for way in ways {
            #expect(way.status == .code(0))
            #expect(way.summary.findings.map(\.signature) == ["ZeroDivisionError raised"], "\(way.summary)")
        }
    }

    @Test(arguments: [
        "import sys; sys.exit(7)", "import sys; sys.exit('no more')", "def f(): raise ValueError('deep')\nf()", "1 +",
        "raise KeyboardInterrupt", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
        "import atexit, threading; atexit.register(print, 'last'); threading.Thread(target=lambda: print('thread')).start()",
    ])
    func aProcessEndsAsIfExecuted(script: String) throws {
        let ways = try bothWays(script)
        if script == "1 +" {
            // What cannot be compiled is known before any trial.
            #expect(ways[1].summary.problems.contains { $0.text.contains("cannot compile") }, "\(ways[1].summary)")
        } else {
            #expect(ways[0].lines == ways[1].lines)
            #expect(ways[0].status != nil && ways[0].status == ways[1].status)
        }
    }

    @Test func whatCannotBeLoadedIsSaid() throws {
        let text = Self.scenario.replacingOccurrences(of: "asyncio", with: "no_such_module")
        let (_, summary) = try Command.run(scenario: text, ["--warm"])
        #expect(summary.verdict == .inconclusive)
        #expect(summary.problems.contains { $0.text.contains("cannot import 'no_such_module'") }, "\(summary)")
    }

    /// One interpreter serves a sandbox: what it does not fit is executed.
    @Test func onlyWhatFitsIsStartedWarm() throws {
        let process = { (role: String, colour: String, warm: String) in
            """
                - role: \(role)
                  command: ["${python}", "${here}/script.py"]
                  env: {COLOUR: \(colour)}
                  ready: exit
                  \(warm)
            """
        }
        let warm = "warm: {import: [asyncio]}"
        let scenario =
            "topology:\n  processes:\n"
            + [
                process("a", "red", warm), process("b", "red", warm), process("c", "blue", warm),
                process("d", "red", ""),
            ]
            .map { $0.split(separator: "\n").map { "\($0)\n" }.joined() }.joined()
            + "steps: [start: {}]\n"
        // An interpreter that has loaded asyncio was not executed for this script.
        let directory = try Command.temporaryDirectory([
            "s.yaml": scenario + "expect: {forbid: {cold: \"^(a|b) False\", warm: \"^(c|d) True\"}}\n",
            "script.py": "import sys, os; print(os.environ['COLOUR'], 'asyncio' in sys.modules)",
        ])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try Command.run(
            ["run", "s.yaml", "--format", "json", "--python", Command.python, "--warm"], in: directory)
        #expect(command.status == 0, "\(command)")
        let ledgers = try #require(
            FileManager.default.enumerator(atPath: directory)?.compactMap { $0 as? String }
                .first { $0.hasSuffix(".jsonl") })
        var seen: [String: String] = [:]
        for record in try LedgerFile.read("\(directory)/\(ledgers)") {
            if case .line(let line) = record.event { seen[line.subject.role?.general ?? ""] = line.text }
        }
        #expect(seen == ["a": "red True", "b": "red True", "c": "blue False", "d": "red False"])
    }
}
