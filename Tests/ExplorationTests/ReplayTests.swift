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

    private func list(_ window: Point.Window) throws -> Fault {
        Fault(
            name: "f", action: .kill(roles: nil, signal: .kill),
            trigger: .point(
                Point(
                    roles: try #require(RolePattern(parsing: "runner")), place: .calls(["read", "vfork", "write"]),
                    window: window)))
    }

    private func injected(_ call: String, _ nth: Int, _ nthOfCall: Int?) -> Injection {
        Injection(
            fault: "f", action: "SIGKILL", at: Subject(pid: 7, role: runner), call: call, nth: nth,
            nthOfCall: nthOfCall)
    }

    /// Of several calls the one is meant that the ledger names, by its own count: the others may come otherwise the next time.
    @Test func ofAListTheCallIsPinnedThatFired() throws {
        let scenario = try Replay.scenario(
            of: ledger([try list(.init(nth: .init(4, 12)))], [injected("vfork", 6, 2)]))
        #expect(scenario.faults.count == 1)
        #expect(scenario.faults.first?.point?.place == .calls(["vfork"]))
        #expect(scenario.faults.first?.point?.window == Point.Window(nth: .init(2)))
        let few = try Replay.scenario(
            of: ledger([try list(.init(times: 2))], [injected("read", 1, 1), injected("write", 2, 1)]))
        #expect(few.faults.map { $0.point?.place } == [.calls(["read"]), .calls(["write"])])
    }

    @Test func aLongSeriesOfAListStaysOne() throws {
        let all = (1...40).map { injected("read", $0, $0) }
        let series = try Replay.scenario(of: ledger([try list(.init(times: nil))], all))
        #expect(series.faults.count == 1 && series.faults.first?.point?.window.times == 40)
        // A ledger that does not say which time it was of the call alone is as exact as it can be.
        let old = try Replay.scenario(of: ledger([try list(.init(nth: .init(4)))], [injected("vfork", 4, nil)]))
        #expect(old.faults.first?.point?.place == .calls(["read", "vfork", "write"]))
    }
}
