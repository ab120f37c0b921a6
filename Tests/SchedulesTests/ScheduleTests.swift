import Scenarios
import Schedules
import Testing

private func scenario(_ nth: Point.Range, times: Int? = 1) throws -> Scenario {
    let point = Point(
        roles: try #require(RolePattern(parsing: "a")), place: .call("write"), nth: nth, times: times)
    return Scenario(
        name: "s", topology: Topology(processes: []), steps: [],
        faults: [Fault(name: "f", action: .delay(Span(.milliseconds(1), .milliseconds(9))), trigger: .point(point))])
}

@Suite("Schedules")
struct ScheduleTests {
    @Test func sameSeedGivesTheSameSchedule() throws {
        let scenario = try scenario(Point.Range(1, 1000))
        #expect(Schedule(of: scenario, seed: 7) == Schedule(of: scenario, seed: 7))
        let drawn = Set((0..<50).map { Schedule(of: scenario, seed: $0).decisions[0].nth })
        #expect(drawn.count > 30)
        #expect(drawn.allSatisfy { (1...1000).contains($0) })
    }

    @Test func firesAtTheNthTimeOfEachRole() throws {
        var counter = PointCounter(Schedule(of: try scenario(Point.Range(3), times: 2), seed: 1))
        let a = Role("a", 0)
        let b = Role("a", 1)
        #expect((1...6).map { _ in counter.arrive(a, at: 0) } == [nil, nil, 3, 4, nil, nil])
        #expect((1...3).map { _ in counter.arrive(b, at: 0) } == [nil, nil, 3])
    }

    @Test func firesEveryTimeWhenAskedTo() throws {
        var counter = PointCounter(Schedule(of: try scenario(Point.Range(2), times: nil), seed: 1))
        #expect((1...4).map { _ in counter.arrive(Role("a", 0), at: 0) } == [nil, 2, 3, 4])
    }
}
