import Benchmarks
import Certification
import Checkers
import Evidence
import Foundation
import Reports
import Scenarios
import Testing

@Suite("Measuring how soon races are found")
struct DetectCommandTests {
    /// A target whose writer, asked to stop, leaves its word in a file for its parent; and a control in which the parent looks whether
    /// it is there after a while, instead of after the writer's end.
    private func tree() throws -> String {
        let target = """
            import ctypes, os, signal, time
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
            parent = os.getpid()
            child = os.fork()
            if child == 0:
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # its parent's end is its own
                if os.getppid() != parent: os._exit(0)
                signal.sigwait([signal.SIGTERM])
                open("/tmp/word", "w").close()
                os._exit(0)
            print("up", flush=True)
            signal.sigwait([signal.SIGTERM])
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
            if os.path.exists("/tmp/word"): os.unlink("/tmp/word")

            """
        let files = [
            "t/src/target.py": target,
            "t/releases/good/src/extra.py": "",
            "races/impatient/race.patch": """
            --- a/src/target.py
            +++ b/src/target.py
            @@ -12,4 +12,5 @@
             signal.sigwait([signal.SIGTERM])
             os.kill(child, signal.SIGTERM)
            -os.waitpid(child, 0)
            +time.sleep(0.2)
             if os.path.exists("/tmp/word"): os.unlink("/tmp/word")
            +os.waitpid(child, 0)

            """,
            "s.yaml": """
            topology:
              processes: [{role: parent, command: ["${python}", "${target}/src/target.py"], ready: {log: up}}]
              children: [{role: child, of: parent, start: fork, command: target.py, count: 1}]
            steps:
              - start: {}
              - stop: {roles: parent, signal: TERM}
                name: shutdown
                within: 5s
            expect:
              exits: [{roles: parent, allow: 0}]
              when-killed: [{roles: parent, exits: [{roles: child, allow: [0, KILL]}], leaks: {tmp: [word]}}]
            """,
        ]
        return try Command.temporaryDirectory(files)
    }

    private func detect(_ more: [String], in directory: String) throws -> Command {
        try Command.run(
            [
                "bench", "detect", "s.yaml", "--controls", "races", "--target", "t", "--release", "good", "--python",
                Command.python, "--reports", "r", "--seeds", "1", "--cap", "60s", "--cap-trials", "40",
            ] + more, in: directory)
    }

    @Test func oneMethodFindsWhatAnotherDoesNot() throws {
        let directory = try tree()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let options = ["--methods", "plain", "explore", "--cap-trials", "25"]
        let command = try detect(options + ["--format", "json"], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        let report = try JSONDecoder().decode(DetectionReport.self, from: Data(command.output.utf8))
        let cells = try #require(report.rows.first).cells
        #expect(report.rows.map(\.name) == ["impatient"] && cells.map(\.isFound) == [false, true], "\(command.errors)")
        #expect(cells.first?.trials == .init(value: 25, isMiss: true))
        #expect(report.clean?.name == "good" && report.falseAlarms.isEmpty, "\(command.errors)")
        let comparison = try #require(report.comparisons.first)
        #expect(comparison.isAtLeast && comparison.trials > 1)
        // One ledger of what was found is kept, and nothing else.
        let run = try #require(
            FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first { $0.contains("detect") })
        let ledgers = try FileManager.default.contentsOfDirectory(atPath: "\(directory)/r/\(run)/ledgers")
        #expect(ledgers == ["impatient-explore.jsonl"])
        #expect(!FileManager.default.fileExists(atPath: "\(directory)/r/\(run)/scratch"))

        // Half a line, as an interrupted run leaves it, and a result that is missing: only this one is run again.
        let results = "\(directory)/r/\(run)/results.jsonl"
        let lines = try String(contentsOfFile: results, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 4)
        try (lines.dropLast().joined(separator: "\n") + "\n" + lines[3].prefix(20)).write(
            toFile: results, atomically: true, encoding: .utf8)
        let resumed = try detect(options + ["--resume", "r/\(run)"], in: directory)
        #expect(resumed.status == 0, "\(resumed.output)\(resumed.errors)")
        #expect(resumed.errors.contains("4 runs, at most 0 left") && !resumed.errors.contains("3 runs"))
        #expect(resumed.output.contains("miss (1 of 1)") && resumed.output.contains("explore found 1 of 1 controls"))
        let again = try String(contentsOfFile: results, encoding: .utf8).split(separator: "\n")
        #expect(again.prefix(3) == lines.prefix(3) && again.count == 4)
        let other = try detect(["--cap-trials", "26", "--resume", "r/\(run)"], in: directory)
        #expect(other.status == 2 && other.errors.contains("measured with other settings"), "\(other.errors)")
    }

    @Test(.enabled(if: Strace.path != nil, "strace is not in PATH"))
    func straceFindsNothingWhereNothingIsWrong() throws {
        let directory = try tree()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try detect(["--methods", "strace", "--only", "good"], in: directory)
        #expect(command.status == 0, "\(command.output)\(command.errors)")
        #expect(command.output.contains("nothing was found, as it must be"), "\(command.output)\(command.errors)")
    }

    /// A scenario under strace, by its own text: what `Strace` makes of it must be as good as without.
    private func traced(_ injections: [Strace.Injection], _ trials: Int) throws -> (RunSummary, [[Record]]) {
        let directory = try tree()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let tree = "\(directory)/t"
        let base = try ScenarioLoader.load(
            path: "\(directory)/s.yaml", variables: ["python": Command.python, "target": tree], lacking: [:])
        let scenario = Strace(injections).scenario(of: base, program: try #require(Strace.path))
        let processes = scenario.topology.processes.map { $0.command.map { "\"\($0)\"" }.joined(separator: ", ") }
        let rule = try #require(scenario.topology.children.first?.command)
        let text = try String(contentsOfFile: "\(directory)/s.yaml", encoding: .utf8)
            .replacingOccurrences(of: "\"${python}\", \"${target}/src/target.py\"", with: processes[0])
            .replacingOccurrences(of: "command: target.py", with: "command: '\(rule)'")
        try text.write(toFile: "\(directory)/traced.yaml", atomically: true, encoding: .utf8)
        let command = try Command.run(
            [
                "run", "traced.yaml", "--trials", "\(trials)", "--format", "json", "--reports", "r", "--python",
                Command.python,
            ], in: directory)
        let summary = try JSONDecoder().decode(RunSummary.self, from: Data(command.output.utf8))
        let run = try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first)
        let ledgers = "\(directory)/r/\(run)/ledgers"
        let records = try FileManager.default.contentsOfDirectory(atPath: ledgers).map {
            try LedgerFile.read("\(ledgers)/\($0)")
        }
        return (summary, records)
    }

    @Test(.enabled(if: Strace.path != nil, "strace is not in PATH"))
    func underStraceNothingElseIsDifferent() throws {
        let (summary, ledgers) = try traced([.init(call: "write", action: .delayEntry, nth: 60000)], 20)
        #expect(summary.held == 20, "\(summary.findings) \(summary.problems)")
        for records in ledgers {
            let born = records.compactMap { if case .process(let birth) = $0.event { birth.subject } else { nil } }
            let roles = Set(born.compactMap(\.role?.description))
            #expect(roles == ["parent[0]", "parent[0].child[0]"])
            // The tracer was there.
            #expect(born.contains { $0.role == nil })
        }
    }

    @Test(.enabled(if: Strace.path != nil, "strace is not in PATH"))
    func whatStraceInjectsHappensAndIsExcused() throws {
        let strace = Strace([.init(call: "kill", action: .signal(.kill), nth: 1)])
        let (summary, ledgers) = try traced(strace.injections, 1)
        #expect(summary.findings.contains { $0.signature == "SIGKILL of parent" }, "\(summary)")
        let excused = strace.judged(try #require(ledgers.first))
        #expect(!excused.violations.contains { $0.signature == "SIGKILL of parent" })
    }
}
