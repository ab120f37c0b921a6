import Checkers
import Evidence
import Exploration
import Scenarios
import Testing

@Suite("What goes along in one trial")
struct CompanyTests {
    private static let node = Subject(pid: 2, role: Role("node", 0))
    private static let runners = (0..<2).map { Subject(pid: Int32(3 + $0), role: Role("node", 0).child("runner", $0)) }
    private static let mainCalls = ["read", "write", "close", "fsync"]
    private static let otherCalls = ["rename", "unlink", "mkdir", "rmdir"]

    /// A trial that tries something.
    private struct Tried {
        let kind: Candidate.Kind
        let faults: [Fault]

        var text: String { faults.map(\.words).joined(separator: "; ") }
        var late: [Fault] { faults.filter { Tried.length($0) > .zero } }

        static func length(_ fault: Fault) -> Duration {
            switch fault.action {
            case .delay(let span): span.upper * (fault.point?.window.times ?? 1)
            case .hold(_, let most): most
            default: .zero
            }
        }

        static func role(_ fault: Fault) -> String {
            if case .kill(let roles?, _) = fault.action, fault.point == nil { return roles.description }
            return fault.point?.roles.description ?? ""
        }

        static func kindOfRole(_ fault: Fault) -> String { role(fault).contains("runner") ? "runner" : "node" }
    }

    private func explorer(deadline: Duration = .seconds(5), seed: UInt64 = 1) throws -> Explorer {
        let stop = Step.Action.stop(roles: try #require(RolePattern(parsing: "node")), signal: .terminate)
        let base = Scenario(
            name: "s", topology: Topology(processes: [], channels: []),
            steps: [Step(name: "shutdown", action: stop, within: deadline)])
        return try Explorer([base], window: "shutdown", strategy: .guided, seed: seed)
    }

    /// A reference trial in which each process does each of these once, on something that all of them use.
    private var reference: [Record] {
        let calls = Self.mainCalls.map { ($0, Int32(0)) } + Self.otherCalls.map { ($0, Int32(1)) }
        return calls.flatMap { call in ([Self.node] + Self.runners).map { (call, $0) } }.enumerated().map {
            index, one in
            let (call, subject) = one
            return Record(
                seq: index, time: Int64(index) * 10_000_000,
                event: .point(
                    Reached(
                        point: "window 0", at: subject, call: call.0, moment: .entry, nth: index + 1,
                        object: "pipe:[7]", channel: "events", thread: call.1)))
        }
    }

    private func injection(_ fault: Fault) -> Record {
        Record(seq: 1, time: 1, event: .fault(Injection(fault: fault.name, action: "delay 300ms")))
    }

    /// What an explorer tries once it has seen the reference.
    /// - Parameter fired: which of a trial's faults fire.
    private func trials(
        _ explorer: inout Explorer, _ count: Int, fired: ([Fault]) -> [Fault] = { $0 }
    ) throws -> [Tried] {
        var tried: [Tried] = []
        while tried.count < count {
            guard case .trial(let number, let scenario) = explorer.next() else { break }
            switch explorer.purpose(of: number) {
            case .reference?: explorer.finished(number, reference, .held)
            case .candidate(let candidate)?:
                tried.append(Tried(kind: candidate.kind, faults: scenario.faults))
                explorer.finished(number, fired(scenario.faults).map(injection), .held)
            case .plain?, .reaction?, nil: break
            }
        }
        return tried
    }

    @Test func moreThanOneIsLateInATrialAndOnlyTheFirstMustBe() throws {
        var explorer = try explorer()
        let tried = try trials(&explorer, 20)
        let trial = try #require(tried.first { $0.kind == .delay && $0.late.count > 2 })
        #expect(trial.faults.first?.isOptional == false)
        #expect(!trial.faults.dropFirst().contains { !$0.isOptional })
        #expect(Set(trial.faults.map(\.name)).count == trial.faults.count, "the ledger tells them apart")
    }

    @Test func delaysAreOnOneSideAndAddUpToLittle() throws {
        var explorer = try explorer()
        for trial in try trials(&explorer, 60) where trial.kind != .random {
            let sides = trial.late.map { fault -> String in
                guard case .calls(let calls)? = fault.point?.place else { return "" }
                return "\(Tried.kindOfRole(fault)) \(calls.allSatisfy(Self.mainCalls.contains))"
            }
            #expect(Set(sides).count <= 1, "\(trial.text)")
            #expect(trial.late.reduce(.zero) { $0 + Tried.length($1) } <= .milliseconds(1500), "\(trial.text)")
            for own in Dictionary(grouping: trial.late, by: Tried.role).values {
                #expect(own.reduce(.zero) { $0 + Tried.length($1) } <= .seconds(1), "\(trial.text)")
            }
        }
    }

    @Test func nothingElseIsLateWhereADeadlineIsShort() throws {
        var explorer = try explorer(deadline: .seconds(1))
        for trial in try trials(&explorer, 40) where trial.kind != .random {
            #expect(trial.late.count <= 1, "\(trial.text)")
        }
    }

    @Test func whoIsKilledIsNotAlsoLate() throws {
        var explorer = try explorer()
        let kills = try trials(&explorer, 40).filter { $0.kind == .kill && !$0.late.isEmpty }
        #expect(!kills.isEmpty)
        for trial in kills {
            let gone = trial.faults.filter { if case .kill = $0.action { true } else { false } }.map(Tried.kindOfRole)
            #expect(Set(gone).isDisjoint(with: trial.late.map(Tried.kindOfRole)), "\(trial.text)")
        }
    }

    @Test func theSameTwoDoNotAlwaysGoTogether() throws {
        var explorer = try explorer()
        var company: [String: [Set<String>]] = [:]
        for trial in try trials(&explorer, 40) {
            let places = Set(trial.late.compactMap { $0.point?.description })
            for place in places { company[place, default: []].append(places) }
        }
        let often = company.filter { $0.value.count > 3 }
        #expect(!often.isEmpty)
        for (place, trials) in often { #expect(Set(trials).count > 1, "\(place)") }
    }

    @Test func whatDidNotHappenIsNotCountedAsTried() throws {
        func tried(_ fired: @escaping ([Fault]) -> [Fault]) throws -> Int {
            var explorer = try explorer()
            let trials = try trials(&explorer, 12, fired: fired)
            #expect(trials.contains { $0.late.count > 2 })
            return try #require(explorer.coverage.byKind.first { $0.kind == .delay }).tried
        }
        let all = try tried { $0 }
        let leaders = try tried { faults in faults.filter { !$0.isOptional } }
        #expect(all > leaders, "\(all) with those that went along, \(leaders) without")
        #expect(leaders <= 12, "one a trial at most")
    }

    @Test func theSameResultsGiveTheSameDecisions() throws {
        var one = try explorer(seed: 7)
        var other = try explorer(seed: 7)
        let texts = try trials(&one, 60).map(\.text)
        let others = try trials(&other, 60).map(\.text)
        #expect(others == texts)
    }
}
