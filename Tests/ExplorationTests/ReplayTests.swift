import Evidence
import Exploration
import Scenarios
import Testing

@Suite("Replay")
struct ReplayTests {
    private let runner = Role("node", 0).child("runner", 1)

    private func ledger(_ faults: [Fault], _ injections: [Injection]) -> [Record] {
        let scenario = Scenario(
            name: "s", topology: Topology(processes: [.init(role: Role("node", 0), command: ["x"])]), steps: [],
            faults: faults)
        let events: [Event] = [.trial(Header(trial: 3, seed: 9, scenario: scenario))] + injections.map { .fault($0) }
        return events.enumerated().map { Record(seq: $0.offset, time: 0, event: $0.element) }
    }

    private func fault(_ action: Fault.Action, _ window: Point.Window) throws -> Fault {
        Fault(
            name: "f", action: action,
            trigger: .point(
                Point(roles: try #require(RolePattern(parsing: "runner")), place: .calls(["write"]), window: window)))
    }

    private func injected(_ nth: Int, _ failure: String? = nil) -> Injection {
        Injection(
            fault: "f", action: "delay", at: Subject(pid: 7, role: runner), call: "write", nth: nth, failure: failure)
    }

    @Test func eachInjectionIsAFaultOfItsOwn() throws {
        let delay = Fault.Action.delay(Span(.milliseconds(1), .milliseconds(90)))
        let scenario = try Replay.scenario(
            of: ledger(
                [try fault(delay, .init(times: nil, probability: 0.1))],
                [injected(4), injected(9), injected(12, "gone")]))
        #expect(scenario.faults.map(\.name) == ["f", "f/2"])
        #expect(scenario.faults.map { $0.point?.window.nth } == [Point.Range(4), Point.Range(9)])
        for fault in scenario.faults {
            #expect(fault.point?.roles.description == "node[0].runner[1]")
            #expect(fault.point?.window.probability == nil && fault.point?.window.times == 1)
            guard case .delay(let span) = fault.action else {
                Issue.record("\(fault.action)")
                return
            }
            #expect(span.lower == span.upper)
        }
    }

    @Test func whatWasInjectedNowhereKeepsItsPlace() throws {
        let scenario = try Replay.scenario(
            of: ledger([try fault(.errno(.init(parsing: "EIO")!), .init(nth: .init(5, 50)))], []))
        let nth = try #require(scenario.faults[0].point?.window.nth)
        #expect(nth.lower == nth.upper && (5...50).contains(nth.lower))
    }

    @Test func whatIsNoTrialIsRefused() {
        #expect(throws: ExplorationError.self) { try Replay.scenario(of: []) }
        let many = (1...300).map { injected($0) }
        let drawn = Point.Window(times: nil, probability: 0.9)
        #expect(throws: ExplorationError.self) {
            try Replay.scenario(of: ledger([try fault(.kill(roles: nil, signal: .kill), drawn)], many))
        }
    }

    @Test func arrivalsInARowStayOneFault() throws {
        let delay = Fault.Action.delay(Span(.milliseconds(40)))
        let scenario = try Replay.scenario(
            of: ledger(
                [try fault(delay, .init(nth: .init(1, 9), times: nil, every: 2))], [4, 6, 8].map { injected($0) }))
        let window = try #require(scenario.faults.first?.point?.window)
        #expect(scenario.faults.count == 1)
        #expect(window == Point.Window(nth: .init(4), times: 3, every: 2))
    }

    private func hold(_ action: String, _ failure: String? = nil) -> Injection {
        Injection(
            fault: "f", action: action, at: Subject(pid: 7, role: runner), call: "write", nth: 3, failure: failure)
    }

    @Test func aHoldIsOneFaultAlthoughItHasTwoRecords() throws {
        let action = Fault.Action.hold(until: "second", atMost: .milliseconds(300))
        let scenario = try Replay.scenario(
            of: ledger(
                [try fault(action, .init(nth: .init(3)))], [hold("hold until second"), hold("released by second")]))
        #expect(scenario.faults.map(\.action) == [action])
    }

    /// Nothing came for which it waited: what it did is what a delay of its bound does.
    @Test func aHoldThatExpiredIsADelay() throws {
        let action = Fault.Action.hold(until: "second", atMost: .milliseconds(300))
        let scenario = try Replay.scenario(
            of: ledger(
                [try fault(action, .init(nth: .init(3)))],
                [hold("hold until second"), hold("hold", "its bound passed")]))
        #expect(scenario.faults.map(\.action) == [.delay(Span(.milliseconds(300)))])
    }

    @Test func whatFailedIsLeftOutUnlessNothingIsLeft() throws {
        let kill = try fault(.kill(roles: nil, signal: .kill), .init())
        var other = try fault(.delay(Span(.milliseconds(1))), .init(nth: .init(4)))
        other.name = "g"
        var done = injected(4)
        done.fault = "g"
        #expect(
            try Replay.scenario(of: ledger([kill, other], [injected(1, "gone"), done])).faults.map(\.name) == ["g"])
        #expect(try Replay.scenario(of: ledger([kill], [injected(1, "gone")])).faults == [kill])
    }
}
