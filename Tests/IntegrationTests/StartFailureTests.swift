import Checkers
import Foundation
import Glibc
import Reports
import Testing

/// A topology that does not stand is no finding, and every report says who is missing and why.
@Suite("Start failures")
struct StartFailureTests {
    private static let expect = """
        expect:
          exits: [{roles: t, allow: [0, 127]}]
          leaks: {descriptors: [{roles: t, most: {pipe: 0, file: 0, socket: 0}}]}
        """

    private func start(_ process: String, files: [String: String] = [:]) throws -> RunSummary {
        let scenario = """
            topology: {processes: [{role: t, \(process)}]}
            steps: [{start: {ready: false}}, {wait: {exit: t}, within: 20s}]
            \(Self.expect)
            """
        let directory = try Command.temporaryDirectory(files.merging(["s.yaml": scenario]) { $1 })
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for name in files.keys { chmod("\(directory)/\(name)", 0o755) }
        let command = try Command.run(["run", "s.yaml", "--format", "json", "--python", Command.python], in: directory)
        return try #require(
            try? JSONDecoder().decode(RunSummary.self, from: Data(command.output.utf8)), "\(command.errors)")
    }

    @Test(arguments: [
        ("command: [/nonexistent/program]", "'/nonexistent/program' could not be started"),
        ("command: [\"${here}/script\"]", "script' could not be started"),
        ("command: [/bin/true], directory: /nonexistent/place", "enter its working directory '/nonexistent/place'"),
    ])
    func aProgramThatNeverRanIsNoFinding(process: String, reason: String) throws {
        let summary = try start(process, files: ["script": "#!/nonexistent/interpreter\n"])
        #expect(summary.verdict == .inconclusive, "\(summary)")
        #expect(summary.findings.isEmpty)
        #expect(summary.problems.contains { $0.text.contains(reason) }, "\(summary.problems)")
    }

    @Test func aProgramThatRanIsJudged() throws {
        let open = "import os, sys; os.pipe(); sys.stdout.flush(); os._exit(0)"
        let leak = try start("command: [\"${python}\", -c, \"\(open)\"]")
        #expect(leak.findings.map(\.signature) == ["pipe descriptors of t open at exit"], "\(leak)")
        let held = try start("command: [sh, -c, \"exit 127\"]")
        #expect(held.verdict == .held, "\(held)")
    }

    @Test func everyReportSaysWhatItPrintedLast() throws {
        let scenario = """
            topology:
              processes:
                - role: server
                  command: [sh, -c, "for i in 1 2 3 4 5 6; do echo line $i of $$; done; printf '\\\\033[31m<b>\\\\n' >&2; exit 3"]
                  ready: {log: listening}
            steps: [{start: {}}]
            """
        let directory = try Command.temporaryDirectory(["s.yaml": scenario])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try Command.run(["run", "s.yaml", "--trials", "2", "--reports", "r"], in: directory)
        let text = "server[0] ended with exit 3 before it printed /listening/; its last lines: "
        #expect(command.output.contains(text), "\(command.output)\(command.errors)")
        #expect(command.output.contains(#""\u{1b}[31m<b>""#), "\(command.output)")
        #expect(!command.output.contains("line 1 of"), "at most five lines")
        let run = try #require(try FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first)
        for (report, line) in [
            ("summary.json", "line 6 of"), ("junit.xml", "line 6 of"), ("report.html", "line 6 of"),
        ] {
            let written = try String(contentsOfFile: "\(directory)/r/\(run)/\(report)", encoding: .utf8)
            #expect(written.contains("server[0] ended with exit 3") && written.contains(line), "\(report): \(written)")
        }
        let summary = try JSONDecoder().decode(
            RunSummary.self, from: Data(contentsOf: URL(fileURLWithPath: "\(directory)/r/\(run)/summary.json")))
        // What was printed last differs from trial to trial; the reason is one.
        #expect(summary.problems.map(\.count) == [2], "\(summary.problems)")
    }

    @Test func whoIsNotReadyInTimeIsNamed() throws {
        let (_, summary) = try Command.run(
            scenario: """
                topology:
                  processes:
                    - {role: one, command: [sh, -c, "echo up; exec sleep 600"], ready: {log: up}}
                    - {role: two, command: [sh, -c, "echo waiting for one; exec sleep 600"], ready: {log: listening}}
                steps: [{start: {}, within: 1s}]
                """)
        #expect(summary.verdict == .inconclusive)
        let words = ["/listening/ did not come within", "two[0]", "its last lines: \"waiting for one\""]
        #expect(summary.problems.contains { problem in words.allSatisfy(problem.text.contains) }, "\(summary.problems)")
    }
}
