import Checkers
import Evidence
import Scenarios
import Testing

private let node = Subject(pid: 2, role: Role("node", 0))
private let runner = Subject(pid: 3, role: Role("node", 0).child("runner", 0))

private func pattern(_ text: String) -> RolePattern { RolePattern(parsing: text) ?? RolePattern(Role("x", 0)) }

/// A history as a trial would have written it: the header, the events, a clean census, an end.
private func judge(
    _ events: [Event], expect: Expectations = Expectations(), faults: [Fault] = [], end: End.Reason = .completed,
    census: Census? = Census()
) -> Judgement {
    let scenario = Scenario(
        name: "s", topology: Topology(processes: [.init(role: Role("node", 0), command: ["x"])]),
        steps: [Step(name: "start", action: .start(roles: nil, ready: true), within: .seconds(1))], faults: faults,
        expect: expect)
    var all: [Event] = [.trial(Header(trial: 1, seed: 1, scenario: scenario))] + events
    if let census { all.append(.census(census)) }
    all.append(.end(End(reason: end)))
    return Judge.judge(all.enumerated().map { Record(seq: $0.offset, time: Int64($0.offset), event: $0.element) })
}

private func signatures(_ judgement: Judgement) -> [String] { judgement.violations.map(\.signature) }

@Suite("Checkers")
struct CheckerTests {
    @Test func quietTrialIsHeld() {
        let judgement = judge([.exit(Exit(subject: node, status: .code(0)))])
        #expect(judgement.verdict == .held)
        #expect(judgement.notChecked.contains { $0.checker == "delivery" })
    }

    @Test func forbiddenText() {
        let expect = Expectations(forbidden: [.init(name: "Queue is closed", pattern: "Queue .*is closed")])
        let bad = Event.line(Line(subject: runner, stream: .stderr, text: "ValueError: Queue <q> is closed"))
        let good = Event.line(Line(subject: runner, stream: .stderr, text: "the Queue is open"))
        #expect(signatures(judge([bad, bad], expect: expect)) == ["Queue is closed"])
        #expect(judge([good], expect: expect).verdict == .held)
        #expect(judge([.autopsy, bad], expect: expect, end: .hung).violations.isEmpty)
    }

    @Test func exits() {
        #expect(signatures(judge([.exit(Exit(subject: runner, status: .code(1)))])) == ["exit 1 of node.runner"])
        #expect(judge([.exit(Exit(subject: runner, status: nil))]).verdict == .inconclusive)
        // What never ran has not ended; that its step failed is the harness checker's.
        let failure = Event.exit(Exit(subject: node, status: .code(127), startFailure: "it is not there"))
        #expect(judge([failure]).violations.isEmpty)
        #expect(signatures(judge([.exit(Exit(subject: node, status: .code(127)))])) == ["exit 127 of node"])
        #expect(judge([.exit(Exit(subject: Subject(pid: 9, role: nil), status: .code(1)))]).verdict == .held)
        let rule = Expectations(exits: [.init(roles: pattern("runner"), allowed: [.code(7)])])
        #expect(judge([.exit(Exit(subject: runner, status: .code(7)))], expect: rule).verdict == .held)
        #expect(judge([.exit(Exit(subject: runner, status: .code(0)))], expect: rule).verdict == .violated)
    }

    @Test func whoIsKilledMayLeaveWhatTheRuleSays() {
        let expect = Expectations(
            exits: [.init(roles: pattern("runner"), allowed: [.code(0)])],
            whenKilled: [
                .init(
                    roles: pattern("node"), exits: [.init(roles: pattern("runner"), allowed: [.signal(.kill)])],
                    temporary: ["x*"])
            ])
        let deaths = [node, runner].map { Event.exit(Exit(subject: $0, status: .signal(.kill))) }
        let kill = Event.fault(Injection(fault: "k", action: "SIGKILL", targets: [node]))
        let left = Census(temporary: ["xy"])
        #expect(judge([kill] + deaths, expect: expect, census: left).verdict == .held)
        #expect(judge(deaths, expect: expect, census: left).violations.count == 3)
        // A signal that did not end it is no kill.
        let ask = Event.fault(Injection(fault: "k", action: "SIGTERM", targets: [node]))
        let clean = Event.exit(Exit(subject: node, status: .code(0)))
        #expect(signatures(judge([ask, clean], expect: expect, census: left)) == ["file left in /tmp"])
    }

    @Test func exitBySignalIsAllowedOnlyToThoseAFaultKilled() {
        let death = Event.exit(Exit(subject: runner, status: .signal(.kill)))
        let kill = Event.fault(Injection(fault: "k", action: "SIGKILL", targets: [runner]))
        let failed = Event.fault(Injection(fault: "k", action: "SIGKILL", targets: [runner], failure: "gone"))
        #expect(judge([kill, death]).verdict == .held)
        #expect(signatures(judge([death])) == ["SIGKILL of node.runner"])
        #expect(signatures(judge([failed, death])) == ["SIGKILL of node.runner"])
        let rule = Expectations(exits: [.init(roles: pattern("node"), allowed: [.code(0)])])
        let asked = Event.signal(SignalSent(subject: node, signal: .terminate))
        let end = Event.exit(Exit(subject: node, status: .signal(.terminate)))
        #expect(judge([asked, end]).verdict == .held)
        #expect(judge([asked, end], expect: rule).verdict == .violated)
    }

    @Test func hangNamesWhereEverythingIsStuck() {
        let events: [Event] = [
            .hang(Hang(step: "shutdown", waited: 10_000_000_000, waitingFor: [node], detail: "the exit of 'node'")),
            .stuck(StuckThread(subject: node, thread: 2, state: "S", call: "futex", wait: "futex_do_wait")), .autopsy,
            .line(Line(subject: node, stream: .stderr, text: "Current thread 0x1 (most recent call first):")),
            .line(Line(subject: node, stream: .stderr, text: "  File \"/x/queues.py\", line 12 in join")),
        ]
        let judgement = judge(events, end: .hung, census: nil)
        #expect(signatures(judgement) == ["not ended in shutdown of node"])
        #expect(judgement.violations[0].message.contains("futex"))
        #expect(judgement.violations[0].message.contains("join queues.py:12"))
    }

    @Test func orphansAndZombies() {
        #expect(signatures(judge([], census: Census(alive: [runner]))) == ["orphan of node.runner"])
        let left = Event.holdings(Holdings(subject: node, descriptors: [:], zombies: [runner]))
        let strict = Expectations(orphansAllowed: true, zombiesForbidden: true)
        for expect in [strict, Expectations(zombiesForbidden: true)] {
            let atEnd = judge([], expect: expect, census: Census(zombies: [runner]))
            #expect(signatures(atEnd) == ["zombie of node.runner"])
            #expect(signatures(judge([left], expect: expect)) == ["zombie of node.runner"])
        }
        #expect(judge([left], census: Census(zombies: [runner])).verdict == .held)
        #expect(signatures(judge([], expect: strict, census: Census(alive: [runner]))) == [])
        #expect(
            judge([], expect: Expectations(orphansAllowed: true), census: Census(alive: [runner])).violations.isEmpty)
        #expect(judge([], end: .failed, census: Census(alive: [runner])).violations.isEmpty)
    }

    @Test func leaks() {
        let census = Census(sharedMemory: ["sem.abc", "psm_1"], temporary: ["exo/x.json"], ports: [80])
        #expect(
            signatures(judge([], census: census)) == [
                "semaphore left in /dev/shm", "shared memory left in /dev/shm", "file left in /tmp", "port left open",
            ])
        let allowed = Expectations(leaks: .init(sharedMemory: ["*"], temporary: ["exo/*"], ports: [80]))
        #expect(judge([], expect: allowed, census: census).verdict == .held)
        let rule = Expectations(leaks: .init(descriptors: [.init(roles: pattern("node"), most: ["pipe": 1])]))
        let held = Event.holdings(Holdings(subject: node, descriptors: ["pipe": 2], zombies: []))
        #expect(judge([held], expect: rule).verdict == .violated)
        #expect(judge([held]).verdict == .held)
    }

    private func mark(_ name: String, _ id: String, _ subject: Subject) -> Event {
        .mark(Mark(subject: subject, name: name, fields: ["channel": "events", "id": id]))
    }

    @Test func deliveryExactlyOnce() {
        let expect = Expectations(delivery: [.init(channel: "events", receiver: pattern("node"))])
        let ended = Event.exit(Exit(subject: node, status: .code(0)))
        let once = [mark("sent", "1", runner), mark("received", "1", node), ended]
        #expect(judge(once, expect: expect).verdict == .held)
        #expect(
            signatures(judge([mark("sent", "1", runner), ended], expect: expect)) == [
                "acknowledged event lost on events"
            ])
        #expect(
            signatures(judge([mark("received", "1", node)] + once, expect: expect)) == [
                "event received twice on events"
            ])
        let killed: [Event] = [
            mark("sent", "1", runner), .fault(Injection(fault: "k", action: "SIGKILL", targets: [node])),
            .exit(Exit(subject: node, status: .signal(.kill))),
        ]
        #expect(judge(killed, expect: expect).violations.isEmpty)
    }

    @Test func raisesThatAreCaught() {
        let expect = Expectations(raises: ["Closed"])
        let born: [Event] = [node, runner].map { .process(Birth(subject: $0, parent: 1, start: .fork, command: "py")) }
        func probe(_ subject: Subject, _ watches: String) -> Event {
            .mark(Mark(subject: subject, name: "probe", fields: ["python": "3.13.0", "watches": watches]))
        }
        let fields = ["as": "Closed", "exception": "a.Closed", "function": "m:f", "file": "m.py", "line": "3"]
        let raised = Event.mark(Mark(subject: runner, name: "raise", fields: fields))
        let watched = born + [probe(node, "raises"), probe(runner, "raises")]
        #expect(signatures(judge(watched + [raised, raised], expect: expect)) == ["Closed raised"])
        let quiet = judge(watched, expect: expect)
        #expect(quiet.verdict == .held && !quiet.notChecked.contains { $0.checker == "raise" })
        let half = judge(born + [probe(node, "raises"), probe(runner, "")], expect: expect)
        #expect(
            half.notChecked.contains {
                $0.checker == "raise" && $0.wasAsked && $0.reason.contains("node.runner (Python 3.13.0)")
            })
        #expect(judge([raised]).violations.isEmpty)
    }

    @Test func everyCallIsAccountedFor() {
        let census = Census(decided: 5, intercepted: 5)
        let tally = Event.tally(Tally(subject: node, calls: ["write": 3, "read": 2]))
        #expect(judge([tally], census: census).verdict == .held)
        #expect(judge([], census: census).verdict == .inconclusive)
        #expect(judge([tally, tally], census: census).verdict == .inconclusive)
    }

    @Test func aStepMayHaveAnyName() {
        for name in ["end", "trial", "shutdown"] {
            let hang = Event.hang(Hang(step: name, waited: 1_000_000_000, waitingFor: [node], detail: "x"))
            #expect(signatures(judge([hang, .autopsy], end: .hung, census: nil)) == ["not ended in \(name) of node"])
        }
        #expect(judge([], end: .hung).verdict == .inconclusive)
    }

    @Test func aHoldMustBeReleasedByWhatItWaitsFor() throws {
        let fault = Fault(
            name: "h", action: .hold(until: "x", atMost: .seconds(1)), trigger: .time(after: Span(.zero), step: nil))
        let begun = Event.fault(Injection(fault: "h", action: "hold until x", targets: [node]))
        let done = Event.fault(Injection(fault: "h", action: "released by x", targets: [node]))
        let vain = Event.fault(Injection(fault: "h", action: "hold", targets: [node], failure: "its bound passed"))
        #expect(judge([begun, done], faults: [fault]).verdict == .held)
        #expect(judge([begun, vain], faults: [fault]).verdict == .inconclusive)
        #expect(judge([begun, done, begun, vain], faults: [fault]).verdict == .inconclusive)
    }

    @Test func phaseOrder() {
        let rule = Expectations.PhaseOrder(
            pattern: "runner=(?<subject>\\S+) phase=(?<phase>\\w+)", order: ["A", "B", "C"], final: ["FAILED"])
        func run(_ phases: [String]) -> Judgement {
            judge(
                phases.map { .line(Line(subject: node, stream: .stderr, text: "runner=1 phase=\($0)")) },
                expect: Expectations(phases: rule))
        }
        #expect(run(["A", "B", "C"]).verdict == .held)
        #expect(run(["A", "FAILED"]).verdict == .held)
        #expect(run(["A", "C"]).verdict == .violated)
        #expect(run(["A", "A"]).verdict == .violated)
        #expect(run(["FAILED", "A"]).verdict == .violated)
        #expect(run([]).notChecked.contains { $0.checker == "phase" })
    }

    @Test func aFaultThatDidNotFireIsInconclusive() {
        let fault = Fault(
            name: "k", action: .kill(roles: nil, signal: .kill), trigger: .time(after: Span(.zero), step: nil))
        #expect(judge([], faults: [fault]).verdict == .inconclusive)
        let failed = Event.fault(Injection(fault: "k", action: "SIGKILL", failure: "no live process"))
        #expect(judge([failed], faults: [fault]).verdict == .inconclusive)
        let fired = Event.fault(Injection(fault: "k", action: "SIGKILL", targets: [runner]))
        #expect(judge([failed, fired], faults: [fault]).verdict == .held)
    }

    @Test func whatTheHarnessCouldNotDoIsNeverHeld() {
        #expect(judge([.trouble(Trouble(message: "m"))]).verdict == .inconclusive)
        #expect(judge([.lost(Loss(what: "output", subject: nil, count: 3))]).verdict == .inconclusive)
        #expect(
            judge([.step(StepChange(index: 0, name: "start", state: .failed))], end: .failed).verdict == .inconclusive)
        #expect(judge([], end: .interrupted).verdict == .inconclusive)
        #expect(judge([], census: Census(decided: 1, intercepted: 2)).verdict == .inconclusive)
        #expect(Judge.judge([]).verdict == .inconclusive)
        let bad = Event.exit(Exit(subject: runner, status: .code(1)))
        #expect(judge([bad, .trouble(Trouble(message: "m"))]).verdict == .violated)
    }

    @Test func topologyThatNeverStoodIsInconclusive() {
        let events: [Event] = [
            .exit(Exit(subject: node, status: .code(127))),
            .step(StepChange(index: 0, name: "start", state: .failed, detail: "ended")),
        ]
        #expect(judge(events, end: .failed).verdict == .inconclusive)
    }
}
