import Foundation
import Scenarios
import Testing

/// Draws scenarios: every kind of fault, point and step, with every condition and window there is.
private struct Drawing {
    private var draw = SystemRandomNumberGenerator()

    mutating func one<Value>(of values: [Value]) -> Value { values[Int.random(in: values.indices, using: &draw)] }
    mutating func isTrue() -> Bool { Bool.random(using: &draw) }
    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &draw) }

    mutating func text() -> String {
        one(of: [
            "plain", "[x]", "a: b", "# no comment", "${no} variable", "$${neither}", "5", "true", "null", "- x",
            "*.log",
            "'single' \"double\"", "ends: ", "tab\there", "two\nlines", "é→", "{a, b}", "^got [0-9]+$", "a \\. b", "%x",
            "@y",
            "late node[0]", "f/2", "~", "!tag", "&x", ">", "| y", "?", "a#b", " begins with a space",
        ])
    }

    mutating func time() -> Duration {
        one(of: [
            .zero, .nanoseconds(number(1...999_999_999)), .microseconds(number(1...9999)),
            .milliseconds(number(1...9999)),
            .seconds(number(1...90_000)),
        ])
    }

    mutating func span() -> Span {
        let ends = [time(), time()].sorted()
        return isTrue() ? Span(ends[0]) : Span(ends[0], ends[1])
    }

    mutating func roles() -> RolePattern {
        RolePattern(parsing: one(of: ["node", "node[1]", "node[*].worker[0]", "worker"]))
            ?? RolePattern(Role("node", 0))
    }

    mutating func maybe<Value>(_ value: Value) -> Value? { isTrue() ? value : nil }

    mutating func range() -> Point.Range {
        let first = number(1...50)
        return isTrue() ? Point.Range(first) : Point.Range(first, first + number(0...40))
    }

    mutating func signal() -> Signal { one(of: [.kill, .terminate, .stop, Signal(number: 40) ?? .abort]) }

    mutating func window(_ names: [String]) -> Point.Window {
        var window = Point.Window(nth: range())
        window.every = isTrue() ? 1 : number(2...5)
        window.probability = maybe(one(of: [0.1, 0.25, 1, 1e-5]))
        window.times = one(of: [1, 2, 7, nil])
        if isTrue() {
            window.last = window.nth.upper + number(0...9)
            window.times = nil
        }
        window.after = maybe(names[0])
        window.before = maybe(names[1])
        return window
    }

    mutating func conditions() -> Conditions {
        let thread = one(of: [ThreadCondition.main, .other, .name("worker-*")])
        let comparison = one(of: ArgumentCondition.Comparison.allCases)
        let value = one(of: [UInt64(0), 5, 4096, UInt64(bitPattern: -1), 1 << 40])
        var arguments = isTrue() ? [ArgumentCondition(index: 1, comparison: .atLeast, value: 4)] : []
        if isTrue() { arguments.append(ArgumentCondition(index: 1, comparison: .atMost, value: 9)) }
        // No value is less than 0, nor more than the greatest.
        let isPossible = !(comparison == .less && value == 0) && !(comparison == .greater && value == .max)
        if isTrue(), isPossible { arguments.append(ArgumentCondition(index: 3, comparison: comparison, value: value)) }
        let channel = maybe("jobs")
        return Conditions(
            channel: channel, path: maybe(text()), peer: maybe("127.0.0.1:*"), arguments: arguments,
            thread: maybe(thread), isReady: isTrue(), isUnnamed: channel == nil && isTrue(),
            isEffective: isTrue())
    }

    mutating func point(_ names: [String], callsOnly: Bool = false, entryOnly: Bool = false) -> Point {
        let fields = one(of: [[:], ["k": text(), "l": "x*"], ["function": "a.b:C.d"], ["function": "not one"]])
        let place =
            callsOnly
            ? Point.Place.calls(one(of: [["read"], ["read", "write"]]))
            : one(of: [
                .calls(["read"]), .calls(["read", "recvfrom", "write"]), .line(one(of: ["^x$", "a: [b-d]{2}"])),
                .mark(one(of: ["enter", "return", "sent", "s*"]), fields: fields),
            ])
        var point = Point(roles: roles(), includesDescendants: isTrue(), place: place, window: window(names))
        guard case .calls = place else { return point }
        point.conditions = conditions()
        if !entryOnly { point.moment = one(of: Point.Moment.allCases) }
        return point
    }

    mutating func action(_ names: [String]) -> Fault.Action {
        let error = one(of: ["EIO", "EAGAIN", "EWOULDBLOCK"].compactMap(ErrorName.init(parsing:)))
        return one(of: [
            .kill(roles: maybe(roles()), signal: signal()), .stop(roles: maybe(roles()), time: maybe(span())),
            .resume(roles: maybe(roles())), .freeze(roles: maybe(roles()), time: maybe(span())),
            .starve(roles: maybe(roles()), share: number(1...99), time: span()),
            .memory(roles: maybe(roles()), bytes: one(of: [1 << 20, 64 << 20, (1 << 20) + 1])),
            .exhaust(roles: maybe(roles()), time: maybe(span())),
            .clock(roles: maybe(roles()), seconds: one(of: [-30, 3600])),
            .delay(span()), .hold(until: names[0], atMost: one(of: [.seconds(5), .milliseconds(300)])), .errno(error),
            .answer(one(of: [0, 7, -5000])), .short(range()),
            .poke(argument: number(0...5), bytes: one(of: [Array("x: [${y}]".utf8), [0, 255, 16]])),
            .close(one(of: [.peer, .own, .descriptor])),
        ])
    }

    private func saysWhom(_ action: Fault.Action) -> Bool {
        switch action {
        case .kill(let roles, _), .stop(let roles, _), .resume(let roles), .freeze(let roles, _),
            .exhaust(let roles, _),
            .starve(let roles, _, _), .memory(let roles, _), .clock(let roles, _):
            roles != nil
        default: false
        }
    }

    mutating func fault(_ name: String, _ names: [String]) -> Fault {
        let action = action(names)
        let isInCall = ["short", "poke", "close"].contains(action.kind)
        if !action.needsCall, saysWhom(action), isTrue() {
            return Fault(
                name: name, action: action, trigger: .time(after: span(), step: maybe("shut: down")),
                isOptional: isTrue())
        }
        return Fault(
            name: name, action: action, trigger: .point(point(names, callsOnly: isInCall, entryOnly: isInCall)))
    }

    mutating func deployment() -> DeploymentStep {
        let settings = isTrue() ? [:] : ["API_PORT": text(), "EMPTY": ""]
        switch one(of: DeploymentStep.Kind.allCases) {
        case .deploy:
            return DeploymentStep(
                kind: .deploy, program: "fracas", tree: "/t ${x}", values: isTrue() ? [:] : ["release": "/a: b"],
                flags: one(of: [[], ["dry-run"], ["backup-only", "skip-tests"]]), settings: settings,
                expected: [.code(number(0...255)), .signal(.kill)])
        case .rollback:
            return DeploymentStep(
                kind: .rollback, program: "fracas", tree: "/t", values: isTrue() ? [:] : ["backup": "20260101_120000"],
                flags: one(of: [[], ["emergency"]]), settings: settings, expected: maybe([.code(1)]))
        case .validate:
            return DeploymentStep(
                kind: .validate, program: "fracas", tree: "/t", values: isTrue() ? [:] : ["since": "15m"],
                flags: one(of: [[], ["report-only"]]), settings: settings, expected: maybe([.code(1), .code(77)]))
        }
    }

    /// What a step of this kind may say besides.
    static func flags(_ action: Step.Action, _ isSet: Bool) -> (isOwed: Bool?, toGroup: Bool) {
        switch action {
        case .wait(.exit), .run, .deployment, .stop(_, nil): (nil, false)
        case .start, .wait: (isSet, false)
        case .signal, .stop: (nil, isSet)
        }
    }

    mutating func steps(_ names: [String]) -> [Step] {
        let variables = ["A": text(), "B": ""]
        let actions: [Step.Action] = [
            .start(roles: maybe(roles()), ready: isTrue()), .wait(.exit(roles: roles())),
            .wait(.log(roles: roles(), pattern: "a: [b]+", count: number(1...3))), .wait(.reached(one(of: names))),
            .wait(.port(number(1...9), roles: maybe(roles()))), .wait(.socket("/run/a: b", roles: maybe(roles()))),
            .signal(roles: roles(), signal: signal()), .stop(roles: roles(), signal: maybe(signal())),
            .run(command: ["sh", "-c", text()], environment: isTrue() ? [:] : variables),
            .deployment(deployment()),
        ]
        let steps = actions.enumerated().map { index, action in
            let (isOwed, toGroup) = Self.flags(action, isTrue())
            return Step(
                name: "s\(index) \(index == 3 ? ": x" : "")", action: action, within: one(of: [.seconds(20), time()]),
                isOwed: isOwed, toGroup: toGroup)
        }
        return steps + [Step(name: "shut: down", action: .stop(roles: roles(), signal: nil), within: .seconds(1))]
    }
}

@Suite("Writing scenarios")
struct ScenarioWriterTests {
    private static let topology = """
        processes:
          - {role: node, command: [sleep, "${nap}"], count: 2, directory: "${here}"}
        children:
          - {role: worker, of: node, count: 2}
        channels:
          jobs: {writer: node, reader: worker}
        steps:
          - start: {}
          - stop: {roles: node, signal: TERM}
            name: shutdown
            within: ${deadline}
        with: {deadline: 3s}
        expect: {forbid: {bad: "no way"}}
        """
    private static let origin = """
        summary: A beginning.
        topology: {file: shared/topology.yaml, with: {nap: 9}}
        expect: {exits: [{roles: node, allow: [0, TERM]}]}
        """

    /// A directory with a scenario and its topology's file.
    private func files(more: String = "") throws -> (directory: String, scenario: Scenario) {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("fracas-\(UUID().uuidString)")
            .path
        for name in ["shared", "out/deep", "../reports"] {
            try FileManager.default.createDirectory(
                atPath: "\(directory)/scenarios/\(name)", withIntermediateDirectories: true)
        }
        let path = "\(directory)/scenarios/s.yaml"
        try Self.topology.write(
            toFile: "\(directory)/scenarios/shared/topology.yaml", atomically: true, encoding: .utf8)
        try (Self.origin + more).write(toFile: path, atomically: true, encoding: .utf8)
        return (directory, try ScenarioLoader.load(path: path, variables: [:]))
    }

    @Test func everythingIsReadBackAsItWas() throws {
        let (directory, base) = try files(
            more: "\nfiles: {writable: [\"${here}/results\"], empty: [/run]}\n")
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let writer = try ScenarioWriter(originOf: base, variables: [:])
        var drawing = Drawing()
        for round in 0..<300 {
            var scenario = base
            let names = ["first: [1]", "se/cond"]
            scenario.points = names.map { name in
                NamedPoint(name: name, point: drawing.point([names.first { $0 != name } ?? "", "shut: down"]))
            }
            scenario.faults = (0..<6).map { drawing.fault($0 == 2 ? "errno-2" : "f \($0)", names) }
            scenario.steps = drawing.steps(scenario.faults.map(\.name) + names)
            scenario.summary = drawing.text()
            scenario.limits.records = round % 2 == 0 ? 200_000 : 1_000_000
            let path = "\(directory)/scenarios/out/deep/x.yaml"
            let text = try writer.text(of: scenario, at: path, comment: "made")
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            var read = try ScenarioLoader.load(path: path, variables: [:])
            #expect(read.source == path)
            (read.name, read.source) = (scenario.name, scenario.source)
            #expect(read == scenario, "\(text)")
        }
    }

    @Test func whatIsAsItWasKeepsItsWords() throws {
        let (directory, base) = try files()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var scenario = base
        let point = Point(
            roles: RolePattern(Role("node", 0).child("worker", 1)), place: .calls(["write"]),
            conditions: Conditions(channel: "jobs"), window: .init(nth: .init(3), after: "shutdown"))
        scenario.faults = [Fault(name: "late", action: .delay(Span(.milliseconds(2))), trigger: .point(point))]
        scenario.summary = "A write is late."
        let text = try ScenarioWriter(originOf: base, variables: [:]).text(
            of: scenario, at: "\(directory)/reports/x.yaml", comment: "From a test.")
        #expect(
            text == """
                # From a test.
                summary: A write is late.
                topology: {file: ../scenarios/shared/topology.yaml, with: {nap: 9}}
                faults:
                  - name: late
                    delay: 2ms
                    at: {roles: 'node[0].worker[1]', call: write, channel: jobs, nth: 3, after: shutdown}
                expect: {exits: [{roles: node, allow: [0, TERM]}]}

                """)
    }

    @Test func aTopologyWrittenOutFindsItsFilesFromElsewhere() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("fracas-\(UUID().uuidString)")
            .path
        try FileManager.default.createDirectory(atPath: "\(directory)/a/b", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let text = """
            topology:
              processes:
                - role: node
                  command:
                    - sh
                    - -c
                    - |
                      cat ${here}/x
                      echo '$${here}'
            steps:
              - start: {}
              - wait: {exit: node}
            """
        try text.write(toFile: "\(directory)/a/b/s.yaml", atomically: true, encoding: .utf8)
        let base = try ScenarioLoader.load(path: "\(directory)/a/b/s.yaml", variables: [:])
        let writer = try ScenarioWriter(originOf: base, variables: [:])
        let beside = try writer.text(of: base, at: "\(directory)/a/b/t.yaml")
        #expect(beside.contains("cat ${here}/x\n") && beside.contains("echo '$${here}'"), "\(beside)")
        let elsewhere = try writer.text(of: base, at: "\(directory)/c/t.yaml")
        #expect(elsewhere.contains("cat ${here}/../a/b/x\n") && elsewhere.contains("echo '$${here}'"), "\(elsewhere)")
    }

    @Test func aFileThatIsGoneOrChangedIsExplained() throws {
        let (directory, base) = try files()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        func complaint(_ scenario: Scenario, _ variables: [String: String] = [:]) -> String {
            do {
                _ = try ScenarioWriter(originOf: scenario, variables: variables)
                return ""
            } catch { return "\(error)" }
        }
        var unknown = base
        unknown.source = nil
        #expect(complaint(unknown).contains("--scenario"))
        #expect(complaint(base, ["nap": "8"]).contains("topology") && complaint(base, ["nap": "8"]).contains("--set"))
        try FileManager.default.removeItem(atPath: "\(directory)/scenarios/s.yaml")
        #expect(complaint(base).contains("is gone"))
    }
}
