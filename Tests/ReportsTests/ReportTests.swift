import Checkers
import Evidence
import Foundation
import Reports
import Scenarios
import Testing

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

    private func violation(_ checker: String, _ signature: String, _ message: String = "m") -> Violation {
        Violation(checker: checker, signature: signature, message: message, records: [3])
    }

    private func judged(_ violations: [Violation], _ aside: [SetAside]? = nil) -> Judgement {
        Judgement(
            verdict: violations.isEmpty ? .held : .violated, violations: violations, problems: [], notChecked: [],
            setAside: aside)
    }

    /// The records of a trial in which these faults were injected.
    private func weight(_ actions: [Fault.Action]) -> TrialWeight {
        let faults = actions.enumerated().map { index, action in
            Fault(name: "f\(index)", action: action, trigger: .time(after: Span(.zero), step: nil))
        }
        let scenario = Scenario(name: "s", topology: Topology(processes: []), steps: [], faults: faults)
        let events: [Event] =
            [.trial(Header(trial: 1, seed: 1, scenario: scenario))]
            + faults.map {
                .fault(Injection(fault: $0.name, action: "a", targets: [Subject(pid: 2, role: Role("a", 0))]))
            }
        return TrialWeight(events.enumerated().map { Record(seq: $0.offset, time: 0, event: $0.element) })
    }

    @Test func theTrialShownIsTheOneToWhichLeastWasDone() {
        let kill = Fault.Action.kill(roles: nil, signal: .kill)
        let ask = Fault.Action.kill(roles: nil, signal: .terminate)
        let late = Fault.Action.delay(Span(.milliseconds(1)))
        let denied = Fault.Action.answer(0)
        let order = [[], [late], [late, late], [ask], [denied], [kill], [kill, late]].map(weight)
        #expect(order == order.sorted() && Set(order.map(\.cause)).count == 6, "\(order)")
        var sum = RunAccumulator(name: "r", seed: 1, target: nil, startedAt: Date(), scenarios: [])
        for (trial, actions) in [(1, [kill]), (2, [late, late]), (3, [late]), (4, [late])] {
            sum.add(
                trial: trial, scenario: "s", judgement: judged([violation("exit", "x", "in \(trial)")]), seconds: 1,
                faultsFired: 1, ledger: "l\(trial)", weight: weight(actions))
        }
        let finding = sum.summary(seconds: 1).findings.first
        #expect(finding?.simplestTrial == 3 && finding?.firstTrial == 1 && finding?.ledger == "l3")
        #expect(finding?.message == "in 3" && finding?.causes?.map(\.count) == [3, 1], "\(finding as Any)")
    }

    @Test func whatAlwaysComesWithAnotherIsItsSymptom() {
        var sum = RunAccumulator(name: "r", seed: 1, target: nil, startedAt: Date(), scenarios: [])
        let sets = [["hang", "exit"], ["hang", "exit", "leak"], ["exit"], ["leak", "hang"]]
        for (index, checkers) in sets.enumerated() {
            sum.add(
                trial: index + 1, scenario: "s", judgement: judged(checkers.map { violation($0, "\($0) of x") }),
                seconds: 1, faultsFired: 0, ledger: nil)
        }
        let findings = sum.summary(seconds: 1).findings
        // An exit came by itself too; what was left was never seen without the hang.
        #expect(findings.map(\.signature).sorted() == ["exit of x", "hang of x", "leak of x"])
        #expect(findings.first { $0.symptomOf != nil }?.signature == "leak of x", "\(findings)")
        let place = findings.firstIndex { $0.signature == "hang of x" }
        #expect(place.map { findings[$0 + 1].signature } == "leak of x")
    }

    @Test func whatIsSetAsideMakesNoRunViolated() {
        var sum = RunAccumulator(name: "r", seed: 1, target: nil, startedAt: Date(), scenarios: [])
        for trial in 1...3 {
            sum.add(
                trial: trial, scenario: "s",
                judgement: judged([], [SetAside(violation: violation("orphan", "orphan of a"), why: "known")]),
                seconds: 1, faultsFired: 0, ledger: nil, finding: "deadlock")
        }
        let summary = sum.summary(seconds: 1)
        #expect(summary.verdict == .held && summary.findings.isEmpty)
        #expect(summary.setAside?.map(\.count) == [3] && summary.setAside?.first?.why == "known")
        #expect(summary.scenarios.first?.finding == "deadlock")
    }
}
