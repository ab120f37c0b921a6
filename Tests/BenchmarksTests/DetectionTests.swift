import Benchmarks
import Checkers
import Evidence
import Scenarios
import Schedules
import Testing

@Suite("Detection figures")
struct DetectionTests {
    private let settings = DetectionSettings(
        seeds: 3, firstSeed: 1, capSeconds: 20, capTrials: 200, jobs: 2, scenarios: ["s"], tree: nil)

    /// Runs of one row and method: a figure is a find after so many trials and seconds, a negative one a miss.
    private func runs(_ row: String, _ method: DetectionMethod, _ figures: [Int]) -> [DetectionRun] {
        figures.enumerated().map { index, figure in
            DetectionRun(
                row: row, tree: nil, method: method, seed: UInt64(index + 1), finding: figure < 0 ? nil : "x",
                cause: nil, trials: abs(figure), seconds: Double(abs(figure)) / 10, inconclusive: 0)
        }
    }

    private func report(_ runs: [DetectionRun], rows: [String] = ["a", "b", "fixed"]) -> DetectionReport {
        DetectionReport(runs, rows: rows, clean: "fixed", settings: settings)
    }

    @Test func theMedianIsTheMiddleOneAndMissesComeLast() throws {
        let cells = report(runs("a", .plain, [30, 10, 20]) + runs("a", .explore, [5, -9, 3])).rows[0].cells
        #expect(cells.map(\.method) == [.plain, .explore])
        #expect(cells.map(\.trials?.value) == [20, 5] && cells.map(\.seconds?.value) == [2, 0.5])
        #expect(cells.map(\.isFound) == [true, true] && cells.map(\.misses) == [0, 1])
    }

    @Test func mostMissesDecideEarly() throws {
        #expect(settings.isDecided(runs("a", .plain, [-200, -150])))
        #expect(!settings.isDecided(runs("a", .plain, [-200, 7])))
        #expect(settings.isDecided(runs("a", .plain, [-200, 7, 8])))
        let cell = report(runs("a", .plain, [-200, -150])).rows[0].cells[0]
        // The run that was left out might have found something, so the least of the misses is in the middle.
        #expect(cell.trials?.isMiss == true && cell.trials?.value == 150)
        #expect(cell.runs == 2 && cell.misses == 2 && !cell.isFound)
    }

    /// Where the release without a control was not looked at, a find proves nothing.
    @Test func aMethodWithoutACleanRowIsUnproven() {
        let found = runs("a", .plain, [5, 5, 5]) + runs("a", .explore, [1, 1, 1])
        #expect(report(found).unproven == [.plain, .explore])
        #expect(report(found + runs("fixed", .explore, [-1, -1])).unproven == [.plain])
    }

    @Test func whatIsNotDecidedHasNoMedian() {
        let report = report(runs("a", .plain, [5]) + runs("a", .explore, [1, 1, 1]))
        #expect(report.rows[0].cells[0].trials == nil && report.rows[1].cells.isEmpty)
        #expect(report.comparisons.isEmpty)
    }

    @Test func comparisonsAreGeometricMeansOverControls() throws {
        let report = report(
            runs("a", .plain, [40, 40, 40]) + runs("a", .explore, [10, 10, 10])
                + runs("b", .plain, [-160, -160]) + runs("b", .explore, [10, 10, 10])
                + runs("fixed", .plain, [-1, -1]) + runs("fixed", .explore, [-1, -1]))
        let plain = try #require(report.comparisons.first)
        #expect(report.comparisons.count == 1 && plain.methods == [.plain] && plain.controls == 2)
        #expect(abs(plain.trials - 8) < 1e-9 && abs(plain.seconds - 8) < 1e-9)
        #expect(plain.isAtLeast && plain.misses == 1 && plain.ownMisses == 0)
        #expect(report.found(.plain) == 1 && report.found(.explore) == 2 && report.found(.strace) == nil)
        #expect(report.falseAlarms.isEmpty && report.clean?.name == "fixed")
        #expect(report.unproven.isEmpty)
    }

    @Test func theBestIsTheSoonerAtEachControl() throws {
        let report = report(
            runs("a", .plain, [40, 40, 40]) + runs("a", .strace, [-160, -160]) + runs("a", .explore, [10, 10, 10])
                + runs("b", .plain, [-160, -160]) + runs("b", .strace, [90, 90, 90])
                + runs("b", .explore, [10, 10, 10]))
        #expect(report.comparisons.map(\.methods) == [[.plain], [.strace], [.plain, .strace]])
        let best = try #require(report.comparisons.last)
        #expect(abs(best.trials - 6) < 1e-9 && best.misses == 0 && !best.isAtLeast)
    }

    /// What is drawn anew each time has a rate, also where most searches were cut off; what learns has none.
    @Test func aRateIsWhatWasSpentOverWhatWasFound() throws {
        let report = report(
            runs("a", .strace, [-200, 100, -200]) + runs("a", .explore, [10, 10, 10])
                + runs("b", .strace, [-200, -200]) + runs("b", .explore, [10, 10, 10]))
        let cells = report.rows.map(\.cells)
        let found = try #require(cells[0][0].estimate), none = try #require(cells[1][0].estimate)
        #expect(abs(found.value - 50 * 0.6931471805599453) < 1e-9 && !found.isMiss)
        #expect(abs(none.value - 40 * 0.6931471805599453) < 1e-9 && none.isMiss)
        #expect(cells[0][1].estimate == nil)
        let strace = try #require(report.comparisons.first { $0.methods == [.strace] })
        #expect(abs((strace.estimated ?? 0) - (50.0 * 40).squareRoot() * 0.6931471805599453) < 1e-9)
    }

    @Test func anOwnMissCountsWithTheWholeCapAndBoundsNothing() throws {
        let report = report(runs("a", .plain, [-100, -100]) + runs("a", .explore, [-1, -1]))
        let plain = try #require(report.comparisons.first)
        #expect(plain.trials == 0.5 && plain.seconds == 0.5 && !plain.isAtLeast && plain.ownMisses == 1)
    }

    @Test func aFindInTheCleanReleaseIsAFalseAlarm() {
        #expect(report(runs("fixed", .strace, [-1, 4, -1])).falseAlarms == [.strace])
    }
}

@Suite("strace")
struct StraceTests {
    private let calls = ["close": 1, "read": 60, "rename": 2, "write": 60]

    @Test func whatIsDrawnFollowsFromTheSeed() {
        for seed in UInt64(1)...200 {
            var draws = [SplitMix64(seed: seed), SplitMix64(seed: seed)]
            let strace = Strace.drawn(from: calls, &draws[0])
            #expect(strace == Strace.drawn(from: calls, &draws[1]))
            #expect((1...2).contains(strace.injections.count))
            #expect(Set(strace.injections.map(\.call)).count == strace.injections.count)
            for injection in strace.injections {
                #expect((1...(calls[injection.call] ?? 0)).contains(injection.nth))
                if injection.action == .interrupt { #expect(["read", "write"].contains(injection.call)) }
            }
        }
        var draw = SplitMix64(seed: 1)
        #expect(Strace.drawn(from: ["read": 1], &draw).injections.count == 1)
    }

    @Test func whatStraceWritesDownIsCountedByThread() {
        let log = """
            7     read(3, ""..., 832)               = 832
            7     read(3, ""..., 832)               = 0
            8     read(5,  <unfinished ...>
            7     write(1, ""..., 4)                = 4
            8     <... read resumed>""..., 1)       = 1
            8     --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---
            8     exit_group(0)                     = ?
            8     +++ exited with 0 +++
            """
        #expect(Strace.calls(in: [log, "8     write(1"]) == ["read": 2, "write": 1, "exit_group": 1])
        #expect(Strace.calls(in: ["8     write(1, \"\", 0) = 0\n", log])["write"] == 1)
    }

    @Test func aTracerIsNoChildOfTheTopology() throws {
        let node = try #require(RolePattern(parsing: "node"))
        let base = Scenario(
            name: "s",
            topology: Topology(
                processes: [.init(role: Role("node", 0), command: ["python", "driver.py"])],
                children: [
                    .init(name: "runner", parent: node, command: "^python|driver.py$"),
                    .init(name: "any", parent: node),
                ]), steps: [])
        let injection = Strace.Injection(call: "write", action: .delayEntry, nth: 7)
        let scenario = Strace([injection]).scenario(of: base, program: "/usr/bin/strace")
        let command = scenario.topology.processes[0].command
        #expect(command.prefix(3) == ["/usr/bin/strace", "-DD", "-f"] && command.suffix(2) == ["python", "driver.py"])
        #expect(command.contains("trace=write") && command.contains("inject=write:delay_enter=300000:when=7"))
        let patterns = try scenario.topology.children.map { try Regex($0.command ?? "") }
        for pattern in patterns {
            #expect(command.joined(separator: " ").firstMatch(of: pattern) == nil)
            #expect("python driver.py".firstMatch(of: pattern) != nil)
        }
        #expect("other other.py".firstMatch(of: patterns[0]) == nil)
    }

    @Test func whoWasKilledByStraceIsExcused() throws {
        let subject = Subject(pid: 7, role: Role("node", 0))
        let scenario = Scenario(
            name: "s", topology: Topology(processes: [.init(role: Role("node", 0), command: ["x"])]), steps: [])
        let events: [Event] = [
            .trial(Header(trial: 1, seed: 1, scenario: scenario)),
            .exit(Exit(subject: subject, status: .signal(.kill))),
            .end(End(reason: .completed)),
        ]
        let records = events.enumerated().map { Record(seq: $0.offset, time: 0, event: $0.element) }
        func exits(_ action: Strace.Injection.Action) -> [String] {
            Strace([.init(call: "write", action: action, nth: 1)]).judged(records).violations.map(\.signature)
        }
        #expect(exits(.delayEntry) == ["SIGKILL of node"])
        #expect(exits(.signal(.terminate)) == ["SIGKILL of node"])
        #expect(exits(.signal(.kill)).isEmpty)
    }
}
