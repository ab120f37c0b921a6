import Exploration
import Scenarios
import Schedules
import Testing

/// Answers by a rule, with chance where the rule is no certainty.
private actor Fake: ShrinkOracle {
    private let rate: @Sendable (Scenario) -> Double
    private var draw: SplitMix64
    private(set) var trials = 0
    private let most: Int

    init(seed: UInt64 = 1, most: Int = .max, _ rate: @escaping @Sendable (Scenario) -> Double) {
        draw = SplitMix64(seed: seed)
        self.most = most
        self.rate = rate
    }

    func answer(_ question: Question, about scenario: Scenario) -> Answer? {
        var answer = question.unanswered
        while answer.decision == nil {
            guard trials < most else { return nil }
            trials += 1
            answer.add(reproduced: Double(draw.number(in: 0...999_999)) < rate(scenario) * 1_000_000)
        }
        return answer
    }
}

@Suite("Shrinking a schedule")
struct ShrinkerTests {
    private static func point(_ nth: Int, times: Int = 1) -> Fault.Trigger {
        .point(
            Point(
                roles: RolePattern(Role("node", 0)), place: .calls(["write"]),
                window: .init(nth: Point.Range(nth), times: times)))
    }

    private static func delay(_ name: String, _ milliseconds: Int = 20, nth: Int = 1, times: Int = 1) -> Fault {
        Fault(
            name: name, action: .delay(Span(.milliseconds(milliseconds))), trigger: point(nth, times: times))
    }

    private static func scenario(_ faults: [Fault], steps: [Step] = [], points: [NamedPoint] = []) -> Scenario {
        Scenario(
            name: "s", topology: Topology(processes: [.init(role: Role("node", 0), command: ["x"])]), steps: steps,
            faults: faults, points: points)
    }

    private func shrink(_ scenario: Scenario, origin: [Step]? = nil, _ oracle: Fake) async -> Shrunk {
        var shrinker = Shrinker(scenario, origin: origin, confirm: 100, oracle: oracle)
        return await shrinker.run()
    }

    private static func has(_ scenario: Scenario, _ names: String...) -> Bool {
        names.allSatisfy { name in scenario.faults.contains { $0.name == name } }
    }

    @Test(arguments: 1...20)
    func theTwoThatMatterAreFoundAmongMany(count: Int) async {
        let faults = (0..<(count + 2)).map { Self.delay("f\($0)", 1) }
        let needed = ["f\(count / 3)", "f\(count + 1)"]
        let result = await shrink(Self.scenario(faults), Fake { Self.has($0, needed[0], needed[1]) ? 1 : 0 })
        #expect(result.progress == .smallest)
        #expect(result.scenario.faults.map(\.name) == needed)
        #expect(result.confirmed == Frequency(reproduced: 100, of: 100))
        #expect(
            result.without.values.allSatisfy { $0 == Frequency(reproduced: 0, of: 20) } && result.without.count == 2)
    }

    /// It comes nearly always with what it needs, and sometimes without.
    @Test func chanceDoesNotMislead() async {
        let faults = (0..<8).map { Self.delay("f\($0)", 1) }
        var right = 0
        for seed in 1...100 {
            let oracle = Fake(seed: UInt64(seed)) { Self.has($0, "f2", "f5") ? 0.98 : 0.15 }
            let result = await shrink(Self.scenario(faults), oracle)
            if result.scenario.faults.map(\.name) == ["f2", "f5"] { right += 1 }
        }
        // A shrinking is some ten decisions, each wrong with a probability of at most a twentieth, mostly of far less.
        #expect(right >= 80, "\(right) of 100")
    }

    @Test func whatFailsByItselfNeedsNoFault() async {
        let result = await shrink(Self.scenario([Self.delay("a"), Self.delay("b")]), Fake { _ in 1 })
        #expect(result.scenario.faults.isEmpty && result.confirmed?.rate == 1)
    }

    @Test func whatDoesNotComeAgainIsSaid() async {
        let result = await shrink(Self.scenario([Self.delay("a")]), Fake { _ in 0 })
        #expect(result.progress == .notReproduced && result.confirmed == nil)
    }

    @Test func whatComesSometimesIsShrunkByItsOwnRate() async {
        let oracle = Fake(seed: 4) { Self.has($0, "b") ? 0.5 : 0 }
        let result = await shrink(Self.scenario([Self.delay("a"), Self.delay("b", 1), Self.delay("c")]), oracle)
        #expect(result.scenario.faults.map(\.name) == ["b"])
        #expect(abs((result.confirmed?.rate ?? 0) - 0.5) < 0.2)
    }

    @Test func whatHardlyEverComesIsLeftWhole() async {
        let oracle = Fake(seed: 3) { _ in 0.06 }
        let result = await shrink(Self.scenario([Self.delay("a"), Self.delay("b")]), oracle)
        #expect(result.progress == .tooSeldom && result.scenario.faults.count == 2)
    }

    @Test func interruptedItHasWhatItHad() async {
        let faults = (0..<8).map { Self.delay("f\($0)", 1) }
        let result = await shrink(Self.scenario(faults), Fake(most: 40) { Self.has($0, "f6") ? 1 : 0 })
        #expect(result.progress == .interrupted)
        #expect(Self.has(result.scenario, "f6") && result.scenario.faults.count < 8)
    }

    @Test func aHoldBecomesADelayAndADelayShort() async throws {
        let hold = Fault(
            name: "invert", action: .hold(until: "second", atMost: .milliseconds(300)), trigger: Self.point(3))
        let second = NamedPoint(
            name: "second", point: Point(roles: RolePattern(Role("node", 0)), place: .calls(["read"])))
        let oracle = Fake { scenario in
            guard let fault = scenario.faults.first else { return 0 }
            guard case .delay(let span) = fault.action else { return 1 }
            return span.upper >= .milliseconds(7) ? 1 : 0
        }
        let result = await shrink(Self.scenario([hold], points: [second]), oracle)
        let fault = try #require(result.scenario.faults.first)
        // Ten milliseconds is the shortest that was seen to do, and twice that is the margin.
        #expect(fault.action == .delay(Span(.milliseconds(20))) && fault.name == "delay")
        #expect(result.scenario.points.isEmpty, "nothing refers to it any more")
    }

    @Test func aHoldThatMustBeOneStays() async {
        let hold = Fault(name: "h", action: .hold(until: "p", atMost: .seconds(5)), trigger: Self.point(3))
        let named = ["p", "q"].map {
            NamedPoint(name: $0, point: Point(roles: RolePattern(Role("node", 0)), place: .calls(["read"])))
        }
        let oracle = Fake { $0.faults.first?.action.kind == "hold" ? 1 : 0 }
        let result = await shrink(Self.scenario([hold], points: named), oracle)
        #expect(result.scenario.faults == [hold] && result.scenario.points.map(\.name) == ["p"])
    }

    @Test func ofManyArrivalsTheOneIsFound() async {
        let oracle = Fake { scenario in
            guard let window = scenario.faults.first?.point?.window, let times = window.times else { return 0 }
            return (window.nth.lower..<window.nth.lower + times).contains(9) ? 1 : 0
        }
        let result = await shrink(Self.scenario([Self.delay("slow", 1, nth: 4, times: 12)]), oracle)
        let window = result.scenario.faults.first?.point?.window
        #expect(window?.nth == Point.Range(9) && window?.times == 1)
    }

    @Test func aTimeIsNeverLongerThanItWas() async {
        for length in [1, 2, 17, 250, 700] {
            let least = Duration.milliseconds(length * 9 / 10)
            let oracle = Fake { scenario in
                guard case .delay(let span)? = scenario.faults.first?.action else { return 0 }
                return span.upper >= least ? 1 : 0
            }
            let result = await shrink(Self.scenario([Self.delay("f", length)]), oracle)
            guard case .delay(let span)? = result.scenario.faults.first?.action else {
                Issue.record("no delay is left")
                continue
            }
            #expect(span.upper <= .milliseconds(length) && span.upper >= least)
        }
    }

    /// Asking for the shutdown too early has changed the steps; without that fault they are as they were.
    @Test func stepsMadeForAFaultGoWithIt() async {
        let roles = RolePattern(Role("node", 0))
        func step(_ name: String, _ action: Step.Action) -> Step {
            Step(name: name, action: action, within: .seconds(9))
        }
        let origin = [
            step("start", .start(roles: nil, ready: true)), step("shutdown", .stop(roles: roles, signal: .terminate)),
        ]
        let changed = [
            step("start", .start(roles: nil, ready: false)), step("request", .wait(.reached("request"))),
            step("shutdown", .stop(roles: roles, signal: nil)),
        ]
        let request = Fault(
            name: "request", action: .kill(roles: roles, signal: .terminate), trigger: Self.point(1))
        // Whoever is never asked to stop hangs, which would be taken for the failure.
        let oracle = Fake { $0.faults.isEmpty && $0.steps != origin ? 1 : $0.faults.isEmpty ? 0 : 1 }
        let result = await shrink(Self.scenario([request], steps: changed), origin: origin, oracle)
        #expect(result.scenario.faults.map(\.name) == ["request"] && result.scenario.steps == changed)
    }

    @Test func waitsAndWindowsOfWhatIsGoneGoToo() async {
        var late = Self.delay("late", 1)
        if case .point(var point) = late.trigger {
            point.window.after = "early"
            late.trigger = .point(point)
        }
        let steps = ["early", "late"].map { Step(name: $0 + "-step", action: .wait(.reached($0)), within: .seconds(1)) }
        let result = await shrink(
            Self.scenario([Self.delay("early", 1), late], steps: steps), Fake { Self.has($0, "late") ? 1 : 0 })
        #expect(result.scenario.faults.first?.point?.window.after == nil)
        #expect(result.scenario.steps.map(\.name) == ["late-step"])
    }

    @Test func aTestErrsAboutAsOftenAsItSays() {
        var draw = SplitMix64(seed: 11)
        for (rate, isHigh) in [(0.97, true), (0.7, false), (0.2, false), (1.0, true)] {
            var wrong = 0
            for _ in 0..<1000 {
                var answer = Question(kind: .often(.usual), text: "", faultsLeft: 1).unanswered
                while answer.decision == nil {
                    answer.add(reproduced: Double(draw.number(in: 0...999_999)) < rate * 1_000_000)
                }
                if answer.decision != isHigh { wrong += 1 }
            }
            #expect(wrong < 80, "at a rate of \(rate): \(wrong) of 1000")
        }
    }
}
