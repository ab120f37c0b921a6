import Checkers
import Evidence
import Scenarios
import Testing

private let main = Subject(pid: 2, role: Role("main", 0))
private let worker = Subject(pid: 3, role: Role("main", 0).child("worker", 0))
private let helper = Subject(pid: 4, role: nil)

private func pattern(_ text: String) -> RolePattern { RolePattern(parsing: text) ?? RolePattern(Role("x", 0)) }

private func judge(
    _ events: [Event], expect: Expectations = Expectations(), known: [KnownFinding]? = nil, finding: String? = nil,
    census: Census = Census(), end: End.Reason = .completed
) -> Judgement {
    var scenario = Scenario(
        name: "s", topology: Topology(processes: [.init(role: Role("main", 0), command: ["x"])]), steps: [],
        expect: expect)
    scenario.known = known
    scenario.finding = finding
    let born: [Event] = [(main, 1), (worker, 2), (helper, 3)].map {
        .process(Birth(subject: $0.0, parent: $0.1, start: .fork, command: "x"))
    }
    let all =
        [.trial(Header(trial: 1, seed: 1, scenario: scenario))] + born + events
        + [.census(census), .end(End(reason: end))]
    return Judge.judge(all.enumerated().map { Record(seq: $0.offset, time: Int64($0.offset), event: $0.element) })
}

private func signatures(_ judgement: Judgement) -> [String] { judgement.violations.map(\.signature) }
private func aside(_ judgement: Judgement) -> [String] { (judgement.setAside ?? []).map(\.violation.signature) }

private func killed(_ subject: Subject, at call: String = "write") -> [Event] {
    [
        .fault(Injection(fault: "k", action: "SIGKILL", at: subject, call: call, nth: 1, targets: [subject])),
        .exit(Exit(subject: subject, status: .signal(.kill))),
    ]
}

@Suite("What is set aside")
struct SettingAsideTests {
    // MARK: when-killed

    @Test func whatIsAllowedWhenKilledIsSoBesides() {
        let expect = Expectations(
            exits: [.init(roles: pattern("main"), allowed: [.code(0)])],
            whenKilled: [
                .init(roles: pattern("worker"), exits: [.init(roles: pattern("main"), allowed: [.code(2)])])
            ])
        func end(_ code: Int) -> Event { .exit(Exit(subject: main, status: .code(code))) }
        for code in [0, 2] { #expect(judge(killed(worker) + [end(code)], expect: expect).verdict == .held) }
        #expect(signatures(judge(killed(worker) + [end(1)], expect: expect)) == ["exit 1 of main"])
        #expect(signatures(judge([end(2)], expect: expect)) == ["exit 2 of main"])
        // What had happened before the kill is no consequence of it.
        #expect(signatures(judge([end(2)] + killed(worker), expect: expect)) == ["exit 2 of main"])
    }

    @Test func aStepThatKillsIsAKillToo() {
        let step: [Event] = [
            .signal(SignalSent(subject: main, signal: .kill)), .exit(Exit(subject: main, status: .signal(.kill))),
        ]
        let rule = Expectations(exits: [.init(roles: pattern("main"), allowed: [.code(0)])])
        #expect(judge(step, expect: rule).verdict == .held)
        let but = Expectations(whenKilled: [.init(roles: pattern("main"), orphansAllowed: true)])
        #expect(judge(step, expect: but, census: Census(alive: [worker])).verdict == .held)
        // Whose own step kills asks what comes of it.
        #expect(signatures(judge(step, census: Census(alive: [worker]))) == ["orphan of main.worker"])
    }

    @Test func textsAndRaisesMayBeAllowedAfterAKill() {
        let line = Event.line(Line(subject: main, stream: .stderr, text: "Broken pipe"))
        let raise = Event.mark(Mark(subject: main, name: "raise", fields: ["as": "OSError"]))
        let expect = Expectations(
            forbidden: [.init(name: "broken", pattern: "Broken")], raises: ["OSError"],
            whenKilled: [.init(roles: pattern("worker"), forbidden: ["broken"], raises: ["OSError"])])
        #expect(judge(killed(worker) + [line, raise], expect: expect).violations.isEmpty)
        #expect(signatures(judge([line, raise] + killed(worker), expect: expect)) == ["broken", "OSError raised"])
        #expect(signatures(judge(killed(main) + [line], expect: expect)) == ["broken"])
    }

    // MARK: consequences

    @Test func whoWasBelowAKilledProcessIsNoFinding() {
        let left = Census(alive: [worker, helper])
        let outlived = Event.hang(Hang(step: nil, waited: 1, waitingFor: [worker], detail: "the end"))
        let byKill = judge(killed(main) + [outlived], census: left, end: .hung)
        #expect(byKill.verdict == .held && aside(byKill).count == 2, "\(byKill)")
        #expect(signatures(judge([], census: left)).count == 2)
        // A worker's death leaves nobody below it alone but what it made itself.
        #expect(signatures(judge(killed(helper), census: Census(alive: [worker]))) == ["orphan of main.worker"])
        #expect(judge(killed(worker), census: Census(alive: [helper])).verdict == .held)
        // A request leaves time to tidy up.
        let asked: [Event] = [
            .fault(Injection(fault: "k", action: "SIGTERM", targets: [main])),
            .exit(Exit(subject: main, status: .signal(.terminate))),
        ]
        #expect(signatures(judge(asked, census: Census(alive: [worker]))) == ["orphan of main.worker"])
    }

    @Test func whoMustNoticeIsAccused() {
        let left = Census(alive: [worker])
        var strict = Expectations()
        strict.orphansMustNotice = true
        #expect(signatures(judge(killed(main), expect: strict, census: left)) == ["orphan of main.worker"])
        var but = Expectations(whenKilled: [.init(roles: pattern("main"), orphans: [pattern("worker")])])
        but.orphansMustNotice = true
        #expect(judge(killed(main), expect: but, census: left).verdict == .held)
        #expect(judge([], expect: but, census: left).verdict == .violated)
        var of = Expectations()
        of.orphansAllowedOf = [pattern("worker")]
        let outlived = Event.hang(Hang(step: nil, waited: 1, waitingFor: [worker], detail: "the end"))
        #expect(judge([outlived], expect: of, census: left, end: .hung).verdict == .held)
        #expect(signatures(judge([], expect: of, census: Census(alive: [worker, main]))) == ["orphan of main"])
    }

    @Test func whatAKilledTopLevelProcessLeavesIsNoFinding() {
        let left = Census(temporary: ["x.sock"])
        #expect(aside(judge(killed(main), census: left)) == ["file left in /tmp"])
        // Somebody is above a worker who can tidy up.
        #expect(signatures(judge(killed(worker), census: left)) == ["file left in /tmp"])
        var said = Expectations()
        said.leaks.areSaid = true
        #expect(signatures(judge(killed(main), expect: said, census: left)) == ["file left in /tmp"])
    }

    @Test func aBrokenPipeAndAShellsWordForAKillFollowFromIt() {
        let pipe = Event.exit(Exit(subject: worker, status: .signal(.pipe)))
        #expect(aside(judge(killed(helper) + [pipe])) == ["SIGPIPE of main.worker"])
        #expect(signatures(judge([pipe])) == ["SIGPIPE of main.worker"])
        let shell = Event.exit(Exit(subject: main, status: .code(137)))
        #expect(aside(judge(killed(worker) + [shell])) == ["exit 137 of main"])
        #expect(signatures(judge([shell])) == ["exit 137 of main"])
        let rule = Expectations(exits: [.init(roles: pattern("main"), allowed: [.code(0)])])
        #expect(signatures(judge(killed(worker) + [shell], expect: rule)) == ["exit 137 of main"])
    }

    @Test func whoHasSaidHowItEndsIsNotAccusedOfASignal() {
        let exiting = Event.holdings(Holdings(subject: main, descriptors: [:], zombies: []))
        let asked = Event.fault(
            Injection(fault: "k", action: "SIGTERM", at: main, call: "exit_group", nth: 1, targets: [main]))
        let end = Event.exit(Exit(subject: main, status: .signal(.terminate)))
        let rule = Expectations(exits: [.init(roles: pattern("main"), allowed: [.code(0)])])
        #expect(judge([exiting, asked, end], expect: rule).verdict == .held)
        #expect(signatures(judge([asked, exiting, end], expect: rule)) == ["SIGTERM of main"])
        #expect(signatures(judge([exiting, end], expect: rule)) == ["SIGTERM of main"])
    }

    // MARK: known findings, and the one that a scenario is for

    private let two: [Event] = [
        .exit(Exit(subject: worker, status: .signal(.terminate))), .exit(Exit(subject: main, status: .code(1))),
    ]

    @Test func knownFindingsAreListedApart() {
        let known = [KnownFinding(signature: "SIGTERM of main.*", why: "by design")]
        let one = judge(two, known: known)
        #expect(signatures(one) == ["exit 1 of main"] && aside(one) == ["SIGTERM of main.worker"])
        #expect(one.setAside?.first?.why == "by design")
        #expect(judge(Array(two.prefix(1)), known: known).verdict == .held)
        #expect(judge(two, known: [KnownFinding(signature: "SIGTERM of main", why: "")]).violations.count == 2)
    }

    @Test func aScenarioIsForItsFinding() {
        #expect(signatures(judge(two, finding: "exit 1 of main")) == ["exit 1 of main"])
        let gone = judge(two, finding: "deadlock in shutdown of main")
        #expect(gone.verdict == .held && aside(gone).count == 2)
        // What could not be judged is not gone.
        #expect(judge(two + [.trouble(Trouble(message: "m"))], finding: "x").verdict == .inconclusive)
    }
}
