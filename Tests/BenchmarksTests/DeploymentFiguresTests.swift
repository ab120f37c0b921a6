import Testing

import Benchmarks

@Suite("Deployment figures")
struct DeploymentFiguresTests {
    @Test func roundsAreComparedWithThemselves() throws {
        var figures = DeploymentFigures()
        for (round, pair) in [(10.0, 5.0), (30, 10), (80, 20)].enumerated() {
            figures.add("a", "ms", round: round, pair.0)
            figures.add("b", "ms", round: round, pair.1)
        }
        let ratio = try #require(figures.quotient("a", over: "b", atMost: 3))
        #expect(ratio.figure.median == 3 && ratio.figure.minimum == 2 && ratio.figure.maximum == 4)
        #expect(ratio.isMet == true)
        let difference = try #require(figures.difference("a", over: "b", atMost: 19))
        #expect(difference.figure.median == 20 && difference.isMet == false)
        #expect(figures.bound("a", unit: "MB", atMost: 30)?.isMet == true)
        #expect(figures.rows.map(\.name) == ["a", "b"])
    }

    @Test func aRoundWithoutBothFiguresIsNotCompared() {
        var figures = DeploymentFigures()
        figures.add("a", "ms", round: 1, 10)
        figures.add("a", "ms", round: 2, 20)
        figures.add("b", "ms", round: 2, 5)
        #expect(figures.quotient("a", over: "b")?.figure.maximum == 4)
        #expect(figures.quotient("a", over: "b")?.isMet == nil)
        #expect(figures.quotient("a", over: "c") == nil)
        #expect(figures.bound("c", unit: "MB", atMost: 1) == nil)
    }

    @Test func downtimeEndsAtTheAnswerAfterTheLastFailure() {
        var record = ProbeRecord()
        #expect(record.isUp && record.downtime == nil)
        record.add(asked: 1_000_000, over: 2_000_000, isAnswered: true)
        #expect(record.isUp && record.downtime == nil)
        record.add(asked: 3_000_000, over: 4_000_000, isAnswered: false)
        #expect(!record.isUp && record.downtime == nil)
        record.add(asked: 5_000_000, over: 6_000_000, isAnswered: true)
        record.add(asked: 7_000_000, over: 8_000_000, isAnswered: true)
        #expect(record.downtime == 3)
        record.add(asked: 9_000_000, over: 10_000_000, isAnswered: false)
        #expect(record.downtime == nil)
        record.add(asked: 11_000_000, over: 13_000_000, isAnswered: true)
        #expect(record.isUp && record.downtime == 10)
    }

    @Test func treesAreTheSameEachTimeAndTenFilesChange() {
        #expect(BenchmarkTree.content(7) == BenchmarkTree.content(7))
        #expect(BenchmarkTree.content(7) != BenchmarkTree.content(8))
        #expect(BenchmarkTree.content(19).contains { $0 > 127 } && !BenchmarkTree.content(18).contains { $0 > 127 })
        for size in [10, 50, 1000, 100_000] {
            let changes = BenchmarkTree.changes(of: size)
            #expect(Set(changes).count == 10 && changes.first == 0 && changes.allSatisfy { $0 < size })
            #expect(Set(changes.map(BenchmarkTree.path)).count == 10)
        }
        #expect(BenchmarkTree.changes(of: 3) == [0, 1, 2])
    }

    @Test func whatIsAimedAtIsSaidOfEachSize() {
        var figures = DeploymentFigures()
        for row in DeploymentSite.Row.allCases { figures.add(row.name(50), row.unit, round: 1, 10) }
        let ratios = DeploymentBenchmark.ratios(figures, 50)
        #expect(ratios.count == 7 && ratios.count { $0.isMet == true } == 6)
        #expect(DeploymentBenchmark.ratios(figures, 60).isEmpty)
    }
}
