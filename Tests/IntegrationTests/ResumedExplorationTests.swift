import Certification
import Checkers
import Foundation
import Reports
import Testing

/// An exploration can be gone on with, and what it says is what is judged again.
@Suite("Explorations that go on")
struct ResumedExplorationTests {
    private struct Entry: Decodable {
        let trial: Int
        let what: String
    }

    private func tried(_ run: String) throws -> [Entry] {
        let text = try String(contentsOfFile: "\(run)/tried.jsonl", encoding: .utf8)
        return try text.split(separator: "\n").map { try JSONDecoder().decode(Entry.self, from: Data($0.utf8)) }
    }

    @Test func whatWasTriedIsNotTriedAgain() throws {
        let directory = try Command.temporaryDirectory([
            "s.yaml": ExploreCommandTests.scenario(ExploreCommandTests.careful)
        ])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let usual = ["explore", "s.yaml", "--python", Command.python, "--reports", "r", "--jobs", "1"]
        let first = try Command.run(usual + ["--trials", "8", "--seed", "7"], in: directory)
        #expect(first.status == 0, "\(first.output)\(first.errors)")
        let run = "r/\(try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first))"
        let path = "\(directory)/\(run)"
        // As if it had been killed while a ninth trial was under way.
        for file in ["summary.json", "tried.json", "coverage.json", "report.html"] {
            try FileManager.default.removeItem(atPath: "\(path)/\(file)")
        }
        try "".write(toFile: "\(path)/ledgers/trial-00009-s-kill.jsonl", atomically: true, encoding: .utf8)
        #expect(try Command.run(["check", run], in: directory).status == 3)

        let second = try Command.run(usual + ["--trials", "14", "--resume", run], in: directory)
        #expect(second.status == 0, "\(second.output)\(second.errors)")
        #expect(second.output.contains("held: 14 trials"), "\(second.output)")
        let all = try tried(path)
        #expect(all.count == 14 && Set(all.map(\.trial)).count == 14)
        let candidates = all.map(\.what).filter { !$0.hasSuffix(": nothing") }
        let before = Set(candidates.prefix(7))
        #expect(!candidates.dropFirst(7).contains(where: before.contains), "\(candidates)")
        let check = try Command.run(["check", run], in: directory)
        #expect(check.status == 0 && check.output.contains("held: 14 trials"), "\(check.output)")

        // Of something else it cannot be gone on with.
        let other = try Command.run(usual + ["--strategy", "random", "--resume", run], in: directory)
        #expect(other.status == 2 && other.errors.contains("is of another"), "\(other.errors)")
        let none = try Command.run(usual + ["--resume", "r"], in: directory)
        #expect(none.status == 2 && none.errors.contains("--resume takes the directory"), "\(none.errors)")
    }

    /// A target that does not even start without a fault: nothing was tried, and everybody says so.
    @Test func whereNothingWasTriedNothingIsHeld() throws {
        let scenario = """
            topology: {processes: [{role: t, command: [/bin/false], ready: {log: never}}]}
            steps: [{start: {}}, {stop: {roles: t}, name: shutdown}]
            """
        let directory = try Command.temporaryDirectory(["s.yaml": scenario])
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let command = try Command.run(["explore", "s.yaml", "--reports", "r", "--trials", "5"], in: directory)
        #expect(command.status == 3, "\(command.output)\(command.errors)")
        #expect(command.output.contains("inconclusive: ") && command.output.contains("nothing was explored from 's'"))
        let run = "r/\(try #require(FileManager.default.contentsOfDirectory(atPath: "\(directory)/r").first))"
        let check = try Command.run(["check", run, "--format", "json"], in: directory)
        #expect(check.status == 3, "\(check.output)\(check.errors)")
        let summary = try JSONDecoder().decode(RunSummary.self, from: Data(check.output.utf8))
        #expect(summary.verdict == .inconclusive && summary.parts?.map(\.name) == ["base"])
    }
}
