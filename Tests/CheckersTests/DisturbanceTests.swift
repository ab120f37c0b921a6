import Checkers
import Evidence
import Foundation
import Scenarios
import Testing

private let node = Subject(pid: 2, role: Role("node", 0))
private let second: Int64 = 1_000_000_000

/// A trial of so many seconds, as it would have been written.
private func judge(
    _ events: [Event], lasting seconds: Int64 = 4, faults: [Fault] = [], steps: [Step] = [],
    end: End.Reason = .completed, census: Census = Census()
) -> Judgement {
    let start = Step(name: "start", action: .start(roles: nil, ready: true), within: .seconds(1))
    let scenario = Scenario(
        name: "s", topology: Topology(processes: [.init(role: Role("node", 0), command: ["x"])]),
        steps: [start] + steps, faults: faults)
    let header = Event.trial(Header(trial: 1, seed: 1, scenario: scenario))
    let all: [Event] = [header] + events + [.census(census), .end(End(reason: end))]
    return Judge.judge(
        all.enumerated().map {
            let isLast = $0.offset >= all.count - 3
            return Record(seq: $0.offset, time: isLast ? seconds * second : Int64($0.offset), event: $0.element)
        })
}

/// Whatever was seen, who could not help it is not accused.
@Suite("What befell a trial from outside")
struct DisturbanceTests {
    private let failure = Event.exit(Exit(subject: node, status: .code(1)))
    private let success = Event.exit(Exit(subject: node, status: .code(0)))

    private static func disturbed(_ kind: Disturbance.Kind, _ milliseconds: Int64) -> Event {
        .disturbed(Disturbance(kind: kind, length: milliseconds * 1_000_000))
    }

    /// So much may be why something failed; the words say what and how long.
    @Test(arguments: [
        (Disturbance.Kind.stoodStill, Int64(6009), Int64(7), "Fracas itself stood still for 6.0 s"),
        (.stoodStill, 250, 7, "Fracas itself stood still for 0.2 s"), (.slept, 3000, 7, "the host slept for 3.0 s"),
        (.starved, 3500, 20, "waited 3.5 s of its 20.0 s for a processor"),
        (.starved, 1300, 2, "waited 1.3 s of its 2.0 s for a processor"),
        (.fracasStarved, 2500, 4, "Fracas itself waited 2.5 s of the trial's 4.0 s"),
    ])
    func excuses(kind: Disturbance.Kind, milliseconds: Int64, seconds: Int64, says: String) {
        for what in [failure, .hang(Hang(step: "start", waited: 1, waitingFor: [node], detail: "the exit of 'node'"))] {
            let judgement = judge([what, Self.disturbed(kind, milliseconds)], lasting: seconds)
            #expect(judgement.verdict == .inconclusive && judgement.violations.isEmpty, "\(judgement)")
            #expect(judgement.problems.contains { $0.contains(says) && $0.contains("accuses nobody") }, "\(judgement)")
        }
        #expect(judge([failure, Self.disturbed(kind, milliseconds)], lasting: seconds).isExcused == true)
        // What held has held all the same.
        let held = judge([success, Self.disturbed(kind, milliseconds)], lasting: seconds)
        #expect(held.verdict == .held && held.isExcused == nil)
    }

    /// So little is no excuse.
    @Test(arguments: [
        (Disturbance.Kind.stoodStill, Int64(160), Int64(1)), (.slept, 10, 1), (.starved, 1100, 2), (.starved, 1300, 3),
        (.starved, 2500, 20),
        (.fracasStarved, 450, 1),
    ])
    func excusesNot(kind: Disturbance.Kind, milliseconds: Int64, seconds: Int64) {
        #expect(judge([failure, Self.disturbed(kind, milliseconds)], lasting: seconds).verdict == .violated)
    }

    @Test func shortStopsAddUp() {
        let stops = Array(repeating: Self.disturbed(.stoodStill, 160), count: 2)
        #expect(judge([failure] + stops).verdict == .inconclusive)
    }

    @Test func whoseInitWasEndedIsNeitherHeldNorViolated() {
        let ended = Event.disturbed(Disturbance(kind: .ended))
        let killed = Event.exit(Exit(subject: node, status: .signal(.kill)))
        #expect(judge([killed]).verdict == .violated)
        for exit in [killed, success] {
            let judgement = judge([exit, ended], end: .failed)
            #expect(judgement.verdict == .inconclusive)
            #expect(judgement.problems.contains { $0.contains("init was ended from outside") }, "\(judgement)")
        }
    }

    @Test func whatWasUnderWayAtAnInterruptionAccusesNobody() {
        let hang = Event.hang(Hang(step: "start", waited: second, waitingFor: [node], detail: "the exit of 'node'"))
        #expect(judge([hang, .autopsy], end: .hung).verdict == .violated)
        #expect(judge([hang, .autopsy], end: .interrupted).verdict == .inconclusive)
    }

    /// What an exploration need not hold against a trial: its own faults, and what came of them.
    @Test func missesAreToldFromTroubles() {
        let fault = Fault(
            name: "k", action: .kill(roles: RolePattern(parsing: "node"), signal: .kill),
            trigger: .time(after: Span(.zero), step: nil))
        let failed = Event.step(StepChange(index: 0, name: "start", state: .failed, detail: "it ended"))
        let fired = Event.fault(Injection(fault: "k", action: "SIGKILL", targets: [node]))
        #expect(judge([success], faults: [fault]).isMissed == true, "it never fired")
        #expect(judge([fired, failed], faults: [fault], end: .failed).isMissed == true, "nothing stood after it")
        #expect(judge([failed], end: .failed).isMissed == nil, "nothing stood, for no such reason")
        let trouble = Event.trouble(Trouble(message: "no more descriptors"))
        #expect(judge([success, trouble], faults: [fault]).isMissed == nil)
        #expect(judge([success]).isMissed == nil)
    }

    /// A damaged ledger may say anything: sums that do not fit are no reason to end.
    @Test(arguments: [[Int.max, 1], [Int.min, -1], [Int.max, Int.max, Int.min]])
    func countsThatDoNotFitAreNoTrap(counts: [Int]) {
        let tallies = counts.map { Event.tally(Tally(subject: node, calls: ["read": $0, "write": $0])) }
        #expect(judge([success] + tallies).verdict == .inconclusive)
        let lengths = counts.map {
            Event.disturbed(Disturbance(kind: .stoodStill, from: Int64($0), length: Int64($0)))
        }
        #expect(judge([success] + lengths).verdict == .held)
    }

    @Test func disturbancesAreWrittenAndRead() throws {
        let record = Record(seq: 1, time: 2, event: .disturbed(Disturbance(kind: .stoodStill, from: 3, length: 4)))
        let text = try JSONEncoder().encode(record)
        #expect(try JSONDecoder().decode(Record.self, from: text) == record)
    }
}
