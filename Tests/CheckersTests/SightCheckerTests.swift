import Checkers
import Evidence
import Scenarios
import Testing

/// What the gate did not see, or was felt by, on hand-written histories.
@Suite("What the gate did not see")
struct SightCheckerTests {
    private let program = Subject(pid: 2, role: Role("program", 0))

    private func judge(_ events: [Event], at point: Point? = nil) -> Judgement {
        let scenario = Scenario(
            name: "s", topology: Topology(processes: [.init(role: Role("program", 0), command: ["x"])]),
            steps: [Step(name: "start", action: .start(roles: nil, ready: true), within: .seconds(1))],
            points: point.map { [NamedPoint(name: "here", point: $0)] } ?? [])
        let all =
            [.trial(Header(trial: 1, seed: 1, scenario: scenario))] + events + [
                .census(Census()), .end(End(reason: .completed)),
            ]
        return Judge.judge(all.enumerated().map { Record(seq: $0.offset, time: Int64($0.offset), event: $0.element) })
    }

    private func point(_ call: String) -> Point {
        Point(roles: RolePattern(Role("program", 0)), place: .calls([call]))
    }

    @Test(arguments: [
        (Unseen.Way.asynchronous, "read", true), (.asynchronous, "wait4", false), (.otherArchitecture, "wait4", true),
    ])
    func aCountThatMayHaveMissedSomethingIsNotHeld(way: Unseen.Way, call: String, isConcerned: Bool) {
        let judgement = judge([.unseen(Unseen(subject: program, way: way))], at: point(call))
        #expect(judgement.verdict == (isConcerned ? .inconclusive : .held))
        #expect(judgement.notChecked.contains { $0.checker == "sight" && $0.wasAsked } == !isConcerned)
    }

    @Test(arguments: [0, 3])
    func anInterruptionThatMayBeOursAccusesNobody(unknown: Int) {
        let broken = BrokenCalls(missed: 9, healed: 6, restarted: 0, natural: 0, unknown: unknown)
        let judgement = judge([.exit(Exit(subject: program, status: .code(1))), .brokenCalls(broken)])
        #expect(judgement.verdict == (unknown > 0 ? .inconclusive : .violated))
        #expect(judgement.problems.contains { $0.contains("3 calls that Linux may never interrupt") } == (unknown > 0))
    }
}
