import Checkers
import Evidence
import Exploration
import Scenarios
import Testing

@Suite("What is tried before the request")
struct ReactionTests {
    private let node = Subject(pid: 2, role: Role("node", 0))
    private let runner = Subject(pid: 3, role: Role("node", 0).child("runner", 0))
    private let second = Subject(pid: 4, role: Role("node", 0).child("runner", 1))
    private let next = Subject(pid: 5, role: Role("node", 0).child("runner", 2))

    private func base(_ before: [Step] = []) throws -> Scenario {
        let stop = Step.Action.stop(roles: try #require(RolePattern(parsing: "node")), signal: .terminate)
        return Scenario(
            name: "s", topology: Topology(processes: [.init(role: Role("node", 0), command: ["x"])]),
            steps: before + [Step(name: "shutdown", action: stop, within: .seconds(5))])
    }

    private func ledger(_ point: String, _ calls: [(Subject, String)], _ first: [Event] = []) -> [Record] {
        let events =
            first
            + calls.enumerated().map { index, one in
                .point(Reached(point: point, at: one.0, call: one.1, moment: .entry, nth: index + 1))
            }
        return events.enumerated().map { Record(seq: $0.offset, time: Int64($0.offset) * 1000, event: $0.element) }
    }

    private var death: Event { .fault(Injection(fault: "crash", action: "SIGKILL", targets: [runner])) }

    /// What an explorer tries, its scenarios and what each was for.
    private func trials(
        _ base: Scenario, _ count: Int, window: [(Subject, String)], start: [(Subject, String)] = [],
        reaction: [(Subject, String)] = []
    ) throws -> [(purpose: Explorer.Purpose, scenario: Scenario)] {
        var explorer = try Explorer([base], window: "shutdown", strategy: .guided, seed: 1)
        var tried: [(Explorer.Purpose, Scenario)] = []
        while tried.count < count, case .trial(let number, let scenario) = explorer.next(),
            let purpose = explorer.purpose(of: number)
        {
            tried.append((purpose, scenario))
            switch purpose {
            case .reference: explorer.finished(number, ledger("start 0", start) + ledger("window 0", window), .held)
            case .reaction: explorer.finished(number, ledger("reaction 0", reaction, [death]), .held)
            case .candidate(let candidate): explorer.finished(number, [], candidate.text.isEmpty ? .violated : .held)
            case .plain: break
            }
        }
        return tried
    }

    private func texts(_ tried: [(purpose: Explorer.Purpose, scenario: Scenario)]) -> [String] {
        tried.map { if case .candidate(let candidate) = $0.purpose { candidate.text } else { "" } }
    }

    @Test func oneOfEachKindDiesWhileEverythingWaits() throws {
        let tried = try trials(base(), 40, window: [(node, "wait4"), (runner, "exit_group"), (second, "exit_group")])
        let rest = zip(texts(tried), tried).enumerated().filter {
            $0.element.0.contains("while everything waits, before")
        }
        #expect(rest.count == 2, "a parent and one of its children: \(rest.map(\.element.0))")
        #expect(rest.allSatisfy { $0.offset < 14 }, "among the first: \(rest.map(\.offset))")
        for (_, (text, trial)) in rest {
            let fault = try #require(trial.scenario.faults.first)
            guard case .time(_, let step?) = fault.trigger else {
                Issue.record("\(fault.trigger)")
                return
            }
            let names = trial.scenario.steps.map(\.name)
            #expect(names.firstIndex(of: step) == 0 && names.last == "shutdown", "\(text): \(names)")
        }
    }

    @Test func whoDoesNothingInTheWindowIsKilledAtRestIfItLivesThen() throws {
        func rest(_ events: [Event]) throws -> [String] {
            var explorer = try Explorer([base()], window: "shutdown", strategy: .sweep, seed: 1)
            guard case .trial(let number, _) = explorer.next() else { return [] }
            let events = events + [.step(StepChange(index: 0, name: "shutdown", state: .began))]
            explorer.finished(number, ledger("window 0", [(node, "kill")], events), .held)
            var texts: [String] = []
            while case .trial(let number, _) = explorer.next(), case .candidate(let one)? = explorer.purpose(of: number)
            {
                texts.append(one.text)
            }
            return texts.filter { $0.contains("while everything waits") }
        }
        let birth = Event.process(Birth(subject: runner, parent: 2, start: .fork, command: "x"))
        let one = try rest([birth])
        #expect(one == ["kill node[0].runner[0] while everything waits, before the request"])
        let none = try rest([birth, .exit(Exit(subject: runner, status: nil))])
        #expect(none == [])
    }

    @Test func whoIsAloneIsNotKilledAtRest() throws {
        let tried = try trials(base(), 30, window: [(node, "read"), (node, "exit_group")])
        #expect(!texts(tried).contains { $0.contains("while everything waits") })
    }

    @Test func theRequestComesWhileAParentReacts() throws {
        let reaction = [(node, "wait4"), (node, "clone"), (next, "execve"), (second, "kill")]
        let tried = try trials(
            base(), 60, window: [(node, "wait4"), (runner, "exit_group"), (second, "exit_group")], reaction: reaction)
        let asked = tried.firstIndex {
            if case .reaction(_, let victim) = $0.purpose { victim == runner.role } else { false }
        }
        #expect(asked.map { $0 < 12 } == true)
        let crashes = tried.filter { $0.scenario.name == "s-crash" }
        let places = crashes.compactMap { $0.scenario.faults.first?.point }
        // Only the parent's and those of whom it started: what a sibling does is no reaction of its.
        let calls = places.map { if case .calls(let calls) = $0.place { calls[0] } else { "" } }
        #expect(Set(calls) == ["clone", "wait4", "execve"])
        #expect(calls.first == "clone", "whom it is about to start is on no list yet")
        for trial in crashes {
            #expect(trial.scenario.faults.map(\.name) == ["ask", "late", "crash"])
            #expect(trial.scenario.faults.prefix(2).allSatisfy { $0.point?.window.after == "crash" })
            guard case .stop(_, let signal)? = trial.scenario.steps.last?.action else { continue }
            #expect(signal == nil, "it was asked already")
        }
    }

    @Test func whereNobodyReactsOrNoSignalAsksNothingIsLookedFor() throws {
        let tried = try trials(base(), 60, window: [(node, "wait4"), (runner, "exit_group")])
        #expect(!tried.contains { $0.scenario.name == "s-crash" })
        var other = try base()
        other.steps = [Step(name: "shutdown", action: .start(roles: nil, ready: true), within: .seconds(1))]
        let others = try trials(
            other, 60, window: [(node, "wait4"), (runner, "exit_group")], reaction: [(node, "clone")])
        #expect(!others.contains { if case .reaction = $0.purpose { true } else { false } })
    }

    @Test func asksWhileItStartsWhereReadinessIsAStep() throws {
        let roles = try #require(RolePattern(parsing: "node"))
        let start = Step(name: "start", action: .start(roles: nil, ready: true), within: .seconds(5))
        let ready = Step(
            name: "ready", action: .wait(.log(roles: roles, pattern: "up", count: 1)), within: .seconds(5))
        let load = Step(name: "load", action: .run(command: ["x"], environment: [:]), within: .seconds(5))
        func asks(_ steps: [Step]) throws -> Scenario? {
            let tried = try trials(
                base(steps), 120, window: [(node, "wait4")], start: [(runner, "setsid"), (runner, "execve")])
            return zip(texts(tried), tried).first { $0.0.hasPrefix("ask at") }?.1.scenario
        }
        let scenario = try #require(try asks([start, ready]))
        #expect(scenario.steps.map(\.name) == ["start", "fault", "shutdown"], "nobody waits until it is ready")
        let never = try asks([start, ready, load])
        #expect(never == nil, "a load that was never there says nothing")
        let alone = Step(name: "alone", action: .start(roles: roles, ready: true), within: .seconds(5))
        let other = try #require(RolePattern(parsing: "other"))
        let store = Step(name: "store", action: .start(roles: other, ready: true), within: .seconds(5))
        let after = try #require(try asks([store, alone, ready]))
        #expect(after.steps.map(\.action).first == store.action, "what it needs stands before it is started")
        #expect(try asks([alone, store, ready]) == nil, "what comes after it would find it gone")
    }
}
