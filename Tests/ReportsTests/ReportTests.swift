import Checkers
import Foundation
import Testing

import Reports

private func summary(_ message: String = "m") -> RunSummary {
    var sum = RunAccumulator(
        name: "run", seed: 1, target: nil, startedAt: Date(timeIntervalSince1970: 0), scenarios: ["a", "b"])
    let violation = Violation(checker: "c", signature: "s", message: message, records: [1])
    sum.add(
        trial: 2, scenario: "a",
        judgement: Judgement(verdict: .violated, violations: [violation, violation], problems: [], notChecked: []),
        seconds: 1, faultsFired: 1, ledger: nil)
    sum.add(
        trial: 1, scenario: "b", judgement: Judgement(verdict: .held, violations: [], problems: [], notChecked: []),
        seconds: 1, faultsFired: 1, ledger: nil)
    return sum.summary(seconds: 2)
}

@Suite("Reports")
struct ReportTests {
    @Test func boundIsClopperAndPearsons() throws {
        #expect(try #require(Statistics.upperBound(failures: 0, trials: 299)) < 0.01)
        #expect(try #require(Statistics.upperBound(failures: 0, trials: 298)) > 0.01)
        // Tabulated: 1 of 10 gives 0.3942, 5 of 10 gives 0.7776.
        #expect(abs(try #require(Statistics.upperBound(failures: 1, trials: 10)) - 0.3942) < 0.0001)
        #expect(abs(try #require(Statistics.upperBound(failures: 5, trials: 10)) - 0.7776) < 0.0001)
        #expect(Statistics.upperBound(failures: 0, trials: 0) == nil)
        #expect(Statistics.upperBound(failures: 3, trials: 3) == 1)
    }

    @Test func violatedBeatsInconclusiveBeatsHeld() {
        #expect(summary().verdict == .violated)
        let none = RunAccumulator(name: "r", seed: 1, target: nil, startedAt: Date(), scenarios: [])
        #expect(none.summary(seconds: 0).verdict == .inconclusive)
    }

    @Test func aFindingCountsTrialsNotViolations() {
        #expect(summary().findings.map(\.count) == [1])
        #expect(summary().findings[0].firstTrial == 2)
    }

    @Test func whatTargetsPrintIsEscapedEverywhere() throws {
        let hostile = "<script>alert(1)</script>\u{1B}[31m\u{0}\u{202E}&\"'"
        let root = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: root) }
        let directory = try RunDirectory(below: root, name: "x", time: Date(timeIntervalSince1970: 0))
        #expect(directory.path == "\(root)/19700101-000000-x")
        try ReportWriter.write(summary(hostile), to: directory)
        let html = try String(contentsOfFile: "\(directory.path)/report.html", encoding: .utf8)
        #expect(!html.contains("<script>"))
        #expect(!html.contains("\u{1B}"))
        #expect(html.contains("&lt;script&gt;"))
        let junit = try String(contentsOfFile: "\(directory.path)/junit.xml", encoding: .utf8)
        #expect(!junit.contains("<script>"))
        #expect(!junit.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" && $0 != "\t" })
        #expect(junit.contains("failures=\"1\""))
        #expect(Terminal.escape(hostile).unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x202E })
        let json = try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/summary.json"))
        #expect(try JSONDecoder().decode(RunSummary.self, from: json) == summary(hostile))
    }

    @Test func namesThatAreTakenGetANumber() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: root) }
        let time = Date(timeIntervalSince1970: 0)
        _ = try RunDirectory(below: root, name: "x", time: time)
        #expect(try RunDirectory(below: root, name: "x", time: time).path.hasSuffix("-x-2"))
    }
}
