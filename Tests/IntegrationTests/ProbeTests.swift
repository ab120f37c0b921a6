import Checkers
import Foundation
import Reports
import Testing

@Suite("The probe")
struct ProbeTests {
    private static let child = """
        import queue
        def work(number): print("work", number)
        try: queue.Queue().get_nowait()
        except queue.Empty: print("swallowed")
        work(1); work(2); print("went on")
        """

    private func run(_ faults: String, _ expect: String, python: String = Command.python) throws -> RunSummary {
        let text = Pair.scenario(child: Self.child, faults: faults, extra: "expect: \(expect)")
        return try Command.run(scenario: text, ["--python", python]).1
    }

    @Test func aRaiseIsSeenThatTheTargetCatches() throws {
        let summary = try run("", "{raises: [queue.Empty]}")
        #expect(summary.findings.map(\.signature) == ["queue.Empty raised"], "\(summary)")
        #expect(!summary.notChecked.contains { $0.text.hasPrefix("raise:") })
        #expect(try run("", "{raises: [ZeroDivisionError]}").verdict == .held)
    }

    @Test(arguments: [
        ("function: \"__main__:work\"", "swallowed", "^work"),
        ("function: \"__main__:work\", nth: 2", "work 1", "work 2"),
        ("function: \"__main__:work\", on: exit, nth: 2", "work 2", "went on"),
        ("function: \"__main__:w*\", on: exit", "work 1", "work 2"),
    ])
    func functionsArePoints(point: String, last: String, never: String) throws {
        let fault = "{kill: KILL, at: {roles: child, \(point)}}"
        let summary = try run(fault, "{forbid: {last: \"\(last)\", never: \"\(never)\"}}")
        #expect(summary.findings.map(\.signature) == ["last"], "\(summary)")
    }

    /// An interpreter too old for `sys.monitoring`, if this host has one.
    private static let oldPython: String? = {
        let home = FileManager.default.homeDirectoryForCurrentUser.path
        let pyenv = (try? FileManager.default.contentsOfDirectory(atPath: "\(home)/.pyenv/versions")) ?? []
        let candidates =
            pyenv.filter { $0.hasPrefix("3.11") || $0.hasPrefix("3.10") }.map {
                "\(home)/.pyenv/versions/\($0)/bin/python3"
            }
            + ["/usr/bin/python3.11", "/usr/bin/python3.10"]
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    @Test(.enabled(if: ProbeTests.oldPython != nil, "no Python before 3.12 on this host"))
    func anOlderPythonIsSaidNotToBeWatched() throws {
        let summary = try run("", "{raises: [queue.Empty]}", python: Self.oldPython ?? "")
        #expect(summary.verdict == .held)
        let note = summary.notes.first { $0.text.hasPrefix("raise:") }?.text ?? ""
        #expect(note.contains("(Python 3.1") && note.contains("needs Python 3.12"), "\(summary.notes)")
    }
}
