import Checkers
import Evidence
import Exploration
import Foundation
import Scenarios
import Testing

@Suite("What is tried next")
struct ExplorerTests {
    private let node = Subject(pid: 2, role: Role("node", 0))
    private let runner = Subject(pid: 3, role: Role("node", 0).child("runner", 0))

    private var base: Scenario {
        Scenario(
            name: "s", topology: Topology(processes: [], channels: []),
            steps: [Step(name: "shutdown", action: .start(roles: nil, ready: true), within: .seconds(1))])
    }

    /// A reference trial in which these touch one pipe, in turns.
    private func reference(_ calls: [(Subject, String)]) -> [Record] {
        calls.enumerated().map { index, one in
            Record(
                seq: index, time: Int64(index) * 1000,
                event: .point(
                    Reached(
                        point: "window 0", at: one.0, call: one.1, moment: .entry, nth: index + 1, object: "pipe:[7]",
                        channel: "events")))
        }
    }

    private func name(_ explorer: inout Explorer) -> (number: Int, what: String) {
        guard case .trial(let number, _) = explorer.next() else { return (0, "later") }
        switch explorer.purpose(of: number) {
        case .reference?: return (number, "reference")
        case .plain?: return (number, "plain")
        case .reaction(_, let victim)?: return (number, "reaction to \(victim)")
        case .candidate(let candidate)?: return (number, candidate.text)
        case nil: return (number, "unknown")
        }
    }

    @Test func ofTwoThatShowAsMuchTheCheaperComesFirst() throws {
        let sibling = Subject(pid: 4, role: Role("node", 0).child("runner", 1))
        var explorer = try Explorer([base, base], window: "shutdown", strategy: .guided, seed: 1)
        let references = [name(&explorer), name(&explorer)]
        #expect(references.map(\.what) == ["reference", "reference"])
        explorer.finished(
            references[0].number, reference([(runner, "write"), (node, "read"), (sibling, "write")]), .held)
        explorer.finished(references[1].number, reference([(runner, "write"), (node, "read")]), .held)
        guard case .trial(let number, _) = explorer.next(),
            case .candidate(let candidate)? = explorer.purpose(of: number)
        else {
            Issue.record("nothing to try")
            return
        }
        #expect(candidate.base == 1)
    }

    @Test func siblingsDieAtOnePlaceWhicheverComesThereFirst() throws {
        let sibling = Subject(pid: 4, role: Role("node", 0).child("runner", 1))
        var explorer = try Explorer([base], window: "shutdown", strategy: .guided, seed: 1)
        let first = name(&explorer)
        let calls = ["write", "close", "rename", "unlink"]
        explorer.finished(
            first.number, reference(calls.map { (runner, $0) } + calls.reversed().map { (sibling, $0) }), .held)
        var pairs = 0
        for _ in 0..<20 {
            guard case .trial(let number, let scenario) = explorer.next(), !scenario.name.hasSuffix("random") else {
                break
            }
            guard case .candidate(let candidate)? = explorer.purpose(of: number) else { continue }
            let places = candidate.text.components(separatedBy: "; ").filter { $0.hasPrefix("kill it") }.map {
                $0.components(separatedBy: ", ")
            }
            explorer.finished(number, [], .held)
            guard places.count == 2 else { continue }
            pairs += 1
            #expect(Set(places.map { $0[0] }).count == 2, "\(candidate.text)")
            #expect(Set(places.map { $0[1] }).count == 1, "\(candidate.text)")
        }
        #expect(pairs > 1)
    }

    @Test func whoHasTriedEveryOrderLooksForOthers() throws {
        var explorer = try Explorer([base], window: "shutdown", strategy: .inversion, seed: 1)
        let first = name(&explorer)
        #expect(first.what == "reference")
        #expect(name(&explorer).what == "later", "nothing is known yet, and one reference is enough")
        explorer.finished(first.number, reference([(runner, "write"), (node, "read")]), .held)
        let one = name(&explorer)
        #expect(one.what.hasPrefix("hold node[0].runner[0], write on events"))
        explorer.finished(one.number, [], .held)
        let again = name(&explorer)
        #expect(again.what == "reference", "everything was tried")
        explorer.finished(again.number, reference([(runner, "write"), (node, "read"), (runner, "close")]), .held)
        #expect(name(&explorer).what.hasPrefix("hold node[0], read on events"), "only what is new")
        let last = name(&explorer)
        #expect(last.what == "reference")
        explorer.finished(last.number, reference([(runner, "write"), (node, "read")]), .held)
        let repeated = name(&explorer)
        #expect(repeated.what == one.what, "with nothing new the old is worth another trial")
        explorer.finished(repeated.number, [], .held)
        let part = try #require(explorer.coverage.byKind.first)
        #expect(part.known == 2 && part.tried == 1, "what is tried again is not one more")
    }

    /// Who goes on with an exploration tries what is left before anything again, under numbers that nobody has used.
    @Test func whatWasTriedBeforeIsNotTriedAgain() throws {
        let calls = [(runner, "write"), (node, "read"), (runner, "close")]
        var explorer = try Explorer([base], window: "shutdown", strategy: .inversion, seed: 1)
        let first = name(&explorer)
        explorer.finished(first.number, reference(calls), .held)
        let one = name(&explorer)
        explorer.finished(one.number, [], .held)
        let other = name(&explorer)
        #expect(one.what != other.what && other.what.hasPrefix("hold"))

        var next = try Explorer([base], window: "shutdown", strategy: .inversion, seed: 1)
        next.remember(Set(explorer.done(one.number, [])), last: 17)
        let again = name(&next)
        #expect(again.what == "reference" && again.number == 18)
        next.finished(again.number, reference(calls), .held)
        #expect(next.coverage.byKind.first?.tried == 1, "it counts as tried")
        #expect(name(&next).what == other.what)
        #expect(name(&next).what == "reference", "then everything was tried")
    }
}
