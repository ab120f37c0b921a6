import Scenarios
import Schedules
import Testing

private func scenario(
    _ nth: Point.Range, times: Int? = 1, every: Int = 1, probability: Double? = nil
) throws -> Scenario {
    let point = Point(
        roles: try #require(RolePattern(parsing: "a")), place: .calls(["write"]),
        window: Point.Window(nth: nth, times: times, every: every, probability: probability))
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
        let a = counter.slot(of: Role("a", 0))
        let b = counter.slot(of: Role("a", 1))
        #expect(counter.slot(of: Role("a", 0)) == a)
        #expect((1...6).map { _ in counter.arrive(a, at: 0)?.nth } == [nil, nil, 3, 4, nil, nil])
        #expect((1...3).map { _ in counter.arrive(b, at: 0)?.nth } == [nil, nil, 3])
    }

    @Test func probabilityDoesNotDependOnWhoComesFirst() throws {
        let schedule = Schedule(of: try scenario(Point.Range(1), times: nil, probability: 0.3), seed: 5)
        var one = PointCounter(schedule)
        var other = PointCounter(schedule)
        _ = other.slot(of: Role("z", 0))
        let first = one.slot(of: Role("a", 0))
        let second = other.slot(of: Role("a", 0))
        let drawn = (1...1000).map { _ in one.arrive(first, at: 0)?.nth }
        #expect(drawn == (1...1000).map { _ in other.arrive(second, at: 0)?.nth })
        #expect((200...400).contains(drawn.count { $0 != nil }))
    }

    @Test func firesEveryTimeWhenAskedTo() throws {
        var counter = PointCounter(Schedule(of: try scenario(Point.Range(2), times: nil), seed: 1))
        let slot = counter.slot(of: Role("a", 0))
        #expect((1...4).map { _ in counter.arrive(slot, at: 0)?.nth } == [nil, 2, 3, 4])
    }

    /// Where a point is on several calls, each is counted by itself too, also where the window does not take it.
    @Test func countsEachOfSeveralCallsByItself() throws {
        var several = try scenario(Point.Range(3), times: nil)
        var point = try #require(several.faults[0].point)
        point.place = .calls(["read", "write"])
        several.faults[0].trigger = .point(point)
        var counter = PointCounter(Schedule(of: several, seed: 1))
        let slot = counter.slot(of: Role("a", 0))
        let arrivals = [0, 1, 1, 0].map { counter.arrive(slot, at: 0, call: $0) }
        #expect(arrivals.map { $0?.nth } == [nil, nil, 3, 4])
        #expect(arrivals.map { $0?.nthOfCall } == [nil, nil, 2, 2])
        var single = PointCounter(Schedule(of: try scenario(Point.Range(1)), seed: 1))
        let own = single.slot(of: Role("a", 0))
        #expect(single.arrive(own, at: 0)?.nthOfCall == nil)
    }
}
