import Checkers
import Foundation
import Reports
import Testing

/// One rule says what a run amounts to, whoever asks.
@Suite("The verdict of a run")
struct RunVerdictTests {
    private func run(
        _ verdicts: [Verdict], missed: Int = 0, kind: RunSummary.Kind? = nil, interrupted: Bool = false
    ) -> RunSummary {
        var sum = RunAccumulator(
            name: "r", seed: 1, target: nil, startedAt: Date(), scenarios: [], kind: kind)
        var left = missed
        for (index, verdict) in verdicts.enumerated() {
            var judgement = Judgement(verdict: verdict, violations: [], problems: [], notChecked: [])
            if verdict == .inconclusive, left > 0 { (judgement.isMissed, left) = (true, left - 1) }
            sum.add(
                trial: index + 1, scenario: "s", judgement: judgement, seconds: 1, faultsFired: 0, ledger: nil,
                isKept: false)
        }
        return sum.summary(seconds: 1, interrupted: interrupted)
    }

    @Test func everyTrialOfAnOrdinaryRunCounts() {
        #expect(run([.held, .held]).exitCode == 0)
        #expect(run([.held, .inconclusive, .violated]).exitCode == 1)
        #expect(run([.held, .inconclusive]).exitCode == 3)
        #expect(run([.held, .inconclusive], missed: 1).exitCode == 3)
        #expect(run([]).exitCode == 3)
        #expect(run([.held], interrupted: true).exitCode == 130)
        #expect(run([.held], interrupted: true).verdict == .inconclusive)
    }

    @Test func placesThatAnExplorationDoesNotReachDoNot() {
        #expect(run([.held, .inconclusive], missed: 1, kind: .explore).exitCode == 0)
        #expect(run([.held, .inconclusive, .inconclusive], missed: 1, kind: .explore).exitCode == 3)
        #expect(run([.inconclusive], missed: 1, kind: .explore).exitCode == 3, "nothing was tried")
        #expect(run([], kind: .explore).exitCode == 3)
        #expect(run([.violated, .inconclusive], kind: .explore).exitCode == 1)
    }

    @Test func whatElseItRestsOnCounts() {
        var summary = run([.held])
        summary.add(RunPart(name: "controls", verdict: .inconclusive, text: "one was not caught"))
        #expect(summary.verdict == .inconclusive)
        summary.add(RunPart(name: "exploration", verdict: .violated, text: "it found something"))
        #expect(summary.exitCode == 1)
    }

    /// What was written is what is asked when it is judged again.
    @Test func whatTheRuleNeedsIsWritten() throws {
        let summary = run([.held, .inconclusive], missed: 1, kind: .explore)
        var read = try JSONDecoder().decode(RunSummary.self, from: JSONEncoder().encode(summary))
        #expect(read == summary && read.scenarios[0].discarded == 1 && read.scenarios[0].missed == 1)
        read.decide()
        #expect(read.verdict == .held)
    }

    private func place() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    }

    @Test func eachOfManyThatBeginAtOnceHasItsOwnDirectory() async throws {
        let root = place()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let time = Date(timeIntervalSince1970: 0)
        let paths = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 { group.addTask { try RunDirectory(below: root, name: "x", time: time).path } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(paths).count == 16)
        for path in paths { #expect(FileManager.default.fileExists(atPath: "\(path)/ledgers")) }
    }

    @Test func aFileInTheWayIsNamedWithItsRemedy() throws {
        let file = place()
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data().write(to: URL(fileURLWithPath: file))
        let error = #expect(throws: ReportError.self) {
            _ = try RunDirectory(below: "\(file)/below/it", name: "x", time: Date())
        }
        let text = try #require(error?.description)
        #expect(text.contains("\(file)/below/it") && text.contains("--reports") && !text.contains("NSCocoa"), "\(text)")
    }

    /// A run that is ended before it can report has left that it was.
    @Test func whatBeginsIsInterruptedUntilItEnds() throws {
        let root = place()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let directory = try RunDirectory(below: root, name: "x", time: Date())
        try ReportWriter.begin(run([.held], kind: .explore), in: directory)
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/summary.json"))
        let summary = try JSONDecoder().decode(RunSummary.self, from: data)
        #expect(summary.interrupted && summary.verdict == .inconclusive && summary.kind == .explore)
    }
}
