import Checkers
import Evidence
import Scenarios
import Testing

private let node = Subject(pid: 2, role: Role("node", 0))
private let again = Subject(pid: 7, role: Role("again", 0))
private let second: Int64 = 1_000_000_000

/// Steps as a trial of a restart has them.
private func judge(
    _ events: [Event], end: End.Reason = .hung, isOwed: Bool? = nil, expect: Expectations = Expectations()
) -> Judgement {
    let processes = ["node", "again"].map { Topology.Process(role: Role($0, 0), command: ["x"], ready: .log("up")) }
    let roles = RolePattern(Role("again", 0))
    let steps = [
        Step(name: "start", action: .start(roles: RolePattern(Role("node", 0)), ready: true), within: .seconds(8)),
        Step(name: "again", action: .start(roles: roles, ready: true), within: .seconds(8), isOwed: isOwed),
        Step(
            name: "line", action: .wait(.log(roles: roles, pattern: "tick", count: 1)), within: .seconds(8),
            isOwed: isOwed),
    ]
    let scenario = Scenario(name: "s", topology: Topology(processes: processes), steps: steps, expect: expect)
    let all = [.trial(Header(trial: 1, seed: 1, scenario: scenario))] + events + [.end(End(reason: end))]
    return Judge.judge(all.enumerated().map { Record(seq: $0.offset, time: Int64($0.offset), event: $0.element) })
}

private func signatures(_ judgement: Judgement) -> [String] { judgement.violations.map(\.signature) }

private func hang(
    _ step: String, _ subject: Subject, missing: String? = nil, standstill: Int? = nil, doing: [Doing] = []
) -> Event {
    .hang(
        Hang(
            step: step, waited: 8 * second, waitingFor: [subject], detail: missing ?? "the exit of 'node'",
            standstill: standstill, missing: missing, births: 3, doing: doing))
}

private func stuck(_ subject: Subject, _ state: String, call: String? = nil, limit: Int64? = nil) -> Event {
    .stuck(
        StuckThread(subject: subject, thread: subject.pid, state: state, call: call, wait: nil, limit: limit))
}

/// What it is called that something does not end, or does not come; and whom it may be blamed on.
@Suite("Words of a wait in vain")
struct LivenessTests {
    @Test func onlyAProvenStandstillIsADeadlock() {
        let sleeps = stuck(node, "S", call: "clock_nanosleep", limit: second / 20)
        let missed = judge([hang("shutdown", node), sleeps])
        #expect(signatures(missed) == ["not ended in shutdown of node"])
        let message = missed.violations[0].message
        #expect(!message.contains("deadlock"), "\(message)")
        #expect(message.contains("did not end within 8.0 s (3 processes were born meanwhile)"), "\(message)")
        #expect(message.contains("in clock_nanosleep for up to 0.05 s"), "\(message)")
        let proven = judge([hang("shutdown", node, standstill: 2), stuck(node, "S", call: "futex")])
        #expect(signatures(proven) == ["deadlock in shutdown of node"])
        #expect(proven.violations[0].message.contains("each of 2 threads waits for another"))
    }

    @Test func whatBecameOfTheSignalIsSaid() {
        func message(_ fate: Doing.Fate) -> String {
            let doing = Doing(subject: node, awaitsConnections: true, signal: .terminate, fate: fate)
            return judge([hang("shutdown", node, doing: [doing]), stuck(node, "S", call: "accept4")])
                .violations.first?.message ?? ""
        }
        #expect(
            message(.taken).contains("SIGTERM was delivered and handled, and it went back to waiting for connections"))
        #expect(message(.ignored).contains("it ignores SIGTERM"))
        #expect(message(.pending).contains("SIGTERM is pending"))
    }

    /// What the host or Fracas kept from ending is nobody's fault.
    @Test(arguments: [
        ("R", Doing(subject: node, ran: second, queued: 5 * second), "starved"),
        ("R", Doing(subject: node, isEnding: true), "exit_group"),
        ("D", Doing(subject: node, isEnding: true), "exit_group"),
        ("D", Doing(subject: node), "state D"),
        ("S", Doing(subject: node, isHeld: true), "Fracas itself"),
        ("S", Doing(subject: node, ran: second, queued: 5 * second), "starved"),
    ])
    func theHostIsNotTheTarget(state: String, doing: Doing, reason: String) {
        let judgement = judge([hang("shutdown", node, doing: [doing]), stuck(node, state)])
        #expect(judgement.verdict == .inconclusive)
        #expect(judgement.problems.contains { $0.contains(reason) }, "\(judgement.problems)")
        let word = judge([hang("again", again, missing: "/up/", doing: [doing]), stuck(node, state)], isOwed: true)
        // One that is waited for by nobody is no excuse, unless it had no processor.
        #expect((word.verdict == .inconclusive) == (reason == "starved" && state == "R"), "\(word)")
    }

    @Test func whoWaitsForAChildsStartIsNotInTheHostsHands() {
        let doing = [Doing(subject: node)]
        let births = judge([hang("shutdown", node, doing: doing), stuck(node, "D", call: "vfork")])
        #expect(signatures(births) == ["not ended in shutdown of node"])
        let writes = judge([hang("shutdown", node, doing: doing), stuck(node, "D", call: "fsync")])
        #expect(writes.verdict == .inconclusive)
    }

    /// A loop that burns processor time had its share.
    @Test(arguments: [
        Doing(subject: node, ran: 7 * second, queued: second / 2),
        Doing(subject: node, ran: second / 10, queued: second),
        // Its own threads kept each other from running.
        Doing(subject: node, ran: 12 * second, queued: 6 * second),
    ])
    func whoIsBusyHasNotEnded(doing: Doing) {
        let judgement = judge([hang("shutdown", node, doing: [doing]), stuck(node, "R")])
        #expect(signatures(judgement) == ["not ended in shutdown of node"], "\(judgement.problems)")
    }

    private let kill = Event.fault(Injection(fault: "k", action: "SIGKILL", targets: [node]))
    private let death = Event.exit(Exit(subject: node, status: .signal(.kill)))

    @Test func afterAFaultAStartMustComeAndALineOnlyIfItIsSaid() {
        let start = hang("again", again, missing: "/up/")
        #expect(signatures(judge([kill, death, start])) == ["never came: /up/ of again in again"])
        #expect(judge([start]).verdict == .inconclusive)
        #expect(signatures(judge([start], isOwed: true)) == ["never came: /up/ of again in again"])
        let line = hang("line", again, missing: "/tick/")
        #expect(judge([kill, death, line]).verdict == .inconclusive)
        #expect(signatures(judge([kill, death, line], isOwed: true)) == ["never came: /tick/ of again in line"])
    }

    @Test func aStoppedProcessOwesNothing() {
        let stop = Event.fault(Injection(fault: "k", action: "stop", targets: [again]))
        #expect(judge([stop, hang("again", again, missing: "/up/")]).verdict == .inconclusive)
        let other = Event.fault(Injection(fault: "k", action: "stop", targets: [node]))
        #expect(judge([other, hang("again", again, missing: "/up/")]).verdict == .violated)
    }

    @Test func aStandstillInAStartIsADeadlockButForAnIdleServer() {
        let idle = [Doing(subject: again, awaitsConnections: true)]
        func verdict(_ events: [Event], _ missing: String, _ doing: [Doing] = [], isOwed: Bool? = nil) -> Judgement {
            judge(events + [hang("again", again, missing: missing, standstill: 1, doing: doing)], isOwed: isOwed)
        }
        #expect(signatures(verdict([], "/up/")) == ["deadlock in again of again"])
        #expect(verdict([], "/up/", idle).verdict == .inconclusive)
        #expect(signatures(verdict([kill, death], "/up/", idle)) == ["deadlock in again of again"])
        #expect(signatures(verdict([], "/up/", idle, isOwed: true)) == ["deadlock in again of again"])
        // A place that is not come to says nothing of the target.
        let place = hang("line", again, missing: "'point'", standstill: 1)
        #expect(judge([kill, death, place]).verdict == .inconclusive)
        let judgement = judge([place], isOwed: true)
        #expect(signatures(judgement) == ["never came: 'point' of again in line"])
    }

    @Test func aRestartThatIsRefusedIsAViolation() {
        func refused(_ subject: Subject, _ step: Int, _ status: Scenarios.ExitStatus) -> [Event] {
            [
                .exit(Exit(subject: subject, status: status)),
                .step(
                    StepChange(
                        index: step, name: step == 0 ? "start" : "again", state: .failed,
                        detail: "\(subject) ended before", missing: "/up/", ended: subject)),
            ]
        }
        let one = judge([kill, death] + refused(again, 1, .code(1)), end: .failed)
        #expect(signatures(one) == ["exit 1 of again"] && one.problems.isEmpty)
        let allowed = judge([kill, death] + refused(again, 1, .code(0)), end: .failed)
        #expect(signatures(allowed) == ["never came: /up/ of again in again"])
        // Without a fault the first start says only that the topology never stood; a later one stood before.
        #expect(judge(refused(node, 0, .code(1)), end: .failed).verdict == .inconclusive)
        #expect(signatures(judge(refused(again, 1, .code(1)), end: .failed)) == ["exit 1 of again"])
        // What a fault did something to did not refuse by itself.
        let answered = Event.fault(Injection(fault: "e", action: "errno EIO", at: again))
        #expect(judge([answered] + refused(again, 1, .code(1)), end: .failed).verdict == .inconclusive)
        let waited = Event.fault(Injection(fault: "e", action: "delay 5ms", at: again))
        #expect(judge([waited] + refused(again, 1, .code(1)), end: .failed).verdict == .violated)
    }
}
