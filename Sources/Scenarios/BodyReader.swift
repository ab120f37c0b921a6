import Yams

/// Reads what is done in a topology: steps and faults. Every role, channel and fault they name must exist.
struct BodyReader {
    let reader: YAMLReader
    let topology: Topology

    // MARK: names

    /// Every role the topology can have, for checks; children without a count are taken to be sixteen at most.
    var roles: [Role] {
        var roles = topology.processes.map(\.role)
        for rule in topology.children {
            let parents = roles.filter(rule.parent.matches)
            roles += parents.flatMap { parent in (0..<(rule.count ?? 16)).map { parent.child(rule.name, $0) } }
        }
        return roles
    }

    func rolePattern(_ node: Node?, _ what: String = "a role") -> RolePattern? {
        guard let node, let pattern = reader.parsed(node, what, RolePattern.init(parsing:)) else { return nil }
        let roles = roles
        let isCommand = pattern.segments.count == 1 && pattern.segments[0].name == "run"
        if !isCommand, !roles.contains(where: pattern.matches) {
            let words = Set(roles.flatMap { [$0.description, $0.segments.last?.name ?? ""] })
            reader.report(
                node,
                "no process can have the role '\(pattern)'\(Suggestion.text(for: pattern.description, among: words))")
        }
        return pattern
    }

    private func signal(_ node: Node?) -> Signal? {
        reader.parsed(node, "a signal", Signal.init(parsing:), among: Signal.names)
    }

    // MARK: steps

    func steps(_ node: Node) -> [Step] {
        var steps: [Step] = []
        for entry in reader.entries(node) {
            guard let step = step(entry, index: steps.count) else { continue }
            if steps.contains(where: { $0.name == step.name }) {
                reader.report(entry, "two steps are named '\(step.name)'; give one a 'name'")
            }
            steps.append(step)
        }
        return steps
    }

    private static let actions = ["start", "wait", "signal", "stop", "run"]

    private func step(_ node: Node, index: Int) -> Step? {
        guard let members = reader.members(node, "a step", keys: Self.actions + ["name", "within"]) else { return nil }
        let named = Self.actions.filter { members[$0] != nil }
        guard let kind = named.first, named.count == 1, let body = members[kind] else {
            reader.report(
                node, "a step does one of \(Self.actions.joined(separator: ", ")), this one \(named.count) of them")
            return nil
        }
        guard let action = action(kind, body) else { return nil }
        let name = reader.text(members["name"], "a name") ?? (kind == "start" ? "start" : "\(kind)-\(index)")
        return Step(
            name: name, action: action, within: reader.duration(members["within"], "a deadline") ?? .seconds(20))
    }

    private func action(_ kind: String, _ node: Node) -> Step.Action? {
        switch kind {
        case "start":
            let members = reader.members(node, "'start'", keys: ["roles", "ready"]) ?? [:]
            return .start(
                roles: rolePattern(members["roles"]), ready: reader.boolean(members["ready"], "'ready'") ?? true)
        case "wait": return condition(node).map { .wait($0) }
        case "signal", "stop":
            guard let members = reader.members(node, "'\(kind)'", keys: ["roles", "signal"]) else { return nil }
            guard let roles = rolePattern(members["roles"]) else {
                if members["roles"] == nil { reader.report(node, "'\(kind)' needs 'roles'") }
                return nil
            }
            let signal = signal(members["signal"])
            if kind == "stop" { return .stop(roles: roles, signal: signal) }
            guard let signal else {
                if members["signal"] == nil { reader.report(node, "'signal' needs a 'signal', such as TERM") }
                return nil
            }
            return .signal(roles: roles, signal: signal)
        default:
            guard let members = reader.members(node, "'run'", keys: ["command", "env"]) else { return nil }
            let command = reader.entries(members["command"]).compactMap { reader.text($0, "a command's word") }
            guard let first = command.first, !first.isEmpty else {
                reader.report(node, "'run' needs a 'command': a list of words")
                return nil
            }
            return .run(command: command, environment: SharedTopology.environment(members["env"], reader))
        }
    }

    private func condition(_ node: Node) -> Step.Condition? {
        guard let members = reader.members(node, "'wait'", keys: ["log", "roles", "count", "exit", "fault"]) else {
            return nil
        }
        if let fault = reader.text(members["fault"], "a fault's name") { return .fault(fault) }
        if let exit = members["exit"] { return rolePattern(exit).map { .exit(roles: $0) } }
        guard let pattern = reader.pattern(members["log"], "a line pattern"), let roles = rolePattern(members["roles"])
        else {
            reader.report(node, "'wait' waits for {log: pattern, roles: …}, {exit: roles} or {fault: name}")
            return nil
        }
        return .log(roles: roles, pattern: pattern, count: reader.integer(members["count"], "a count", atLeast: 1) ?? 1)
    }

    // MARK: faults

    private static let faultKinds = ["kill", "stop", "continue", "delay", "errno", "close"]

    func faults(_ node: Node, steps: [Step]) -> [Fault] {
        var faults: [Fault] = []
        for entry in reader.entries(node) {
            guard let fault = fault(entry, index: faults.count, steps: steps) else { continue }
            if faults.contains(where: { $0.name == fault.name }) {
                reader.report(entry, "two faults are named '\(fault.name)'")
            }
            faults.append(fault)
        }
        return faults
    }

    private func fault(_ node: Node, index: Int, steps: [Step]) -> Fault? {
        let keys = Self.faultKinds + ["name", "at", "after", "of"]
        guard let members = reader.members(node, "a fault", keys: keys) else { return nil }
        let named = Self.faultKinds.filter { members[$0] != nil }
        guard let kind = named.first, named.count == 1, let body = members[kind] else {
            reader.report(
                node, "a fault does one of \(Self.faultKinds.joined(separator: ", ")), this one \(named.count) of them")
            return nil
        }
        guard let action = faultAction(kind, body), let trigger = trigger(members, node, steps) else { return nil }
        check(action, trigger, node)
        return Fault(
            name: reader.text(members["name"], "a name") ?? "\(kind)-\(index)", action: action, trigger: trigger)
    }

    private func faultAction(_ kind: String, _ node: Node) -> Fault.Action? {
        switch kind {
        case "delay": return reader.span(node, "a delay").map { .delay($0) }
        case "errno":
            return reader.parsed(
                node, "an error of errno(3)", ErrorName.init(parsing:), among: Array(ErrorName.numbers.keys)
            )
            .map { .errno($0) }
        case "close":
            let ends = Fault.End.allCases.map(\.rawValue)
            return reader.parsed(node, "an end of a channel", Fault.End.init(rawValue:), among: ends).map { .close($0) }
        case "kill":
            if node.scalar != nil { return signal(node).map { .kill(roles: nil, signal: $0) } }
            let members = reader.members(node, "'kill'", keys: ["roles", "signal"]) ?? [:]
            return .kill(roles: rolePattern(members["roles"]), signal: signal(members["signal"]) ?? .kill)
        default:
            let members = reader.members(node, "'\(kind)'", keys: ["roles", "for"]) ?? [:]
            let roles = rolePattern(members["roles"])
            return kind == "continue"
                ? .resume(roles: roles) : .stop(roles: roles, time: reader.span(members["for"], "a time"))
        }
    }

    private func trigger(_ members: [String: Node], _ node: Node, _ steps: [Step]) -> Fault.Trigger? {
        if let at = members["at"] {
            if members["after"] != nil {
                reader.report(members["after"], "a fault is placed 'at' a point or 'after' a time, not both")
            }
            return point(at).map { .point($0) }
        }
        guard let after = reader.span(members["after"], "a time") else {
            if members["after"] == nil { reader.report(node, "a fault needs 'at' (a point) or 'after' (a time)") }
            return nil
        }
        let step = reader.text(members["of"], "a step's name")
        let names = steps.map(\.name)
        if let step, !names.contains(step) {
            reader.report(members["of"], "no step is named '\(step)'\(Suggestion.text(for: step, among: names))")
        }
        return .time(after: after, step: step)
    }

    private func point(_ node: Node) -> Point? {
        let keys = ["roles", "call", "channel", "line", "nth", "times"]
        guard let members = reader.members(node, "a point", keys: keys) else { return nil }
        guard let roles = rolePattern(members["roles"]) else {
            if members["roles"] == nil { reader.report(node, "a point needs 'roles': who must reach it") }
            return nil
        }
        let call = reader.parsed(
            members["call"], "a system call", { SystemCalls.names.contains($0) ? $0 : nil },
            among: Array(SystemCalls.names))
        let place: Point.Place
        if let line = reader.pattern(members["line"], "a line pattern") {
            if members["call"] != nil || members["channel"] != nil {
                reader.report(node, "a point is a line or a call, not both")
            }
            place = .line(line)
        } else if let call {
            place = channel(members["channel"]).map { .channel($0, call: call) } ?? .call(call)
        } else {
            if members["call"] == nil, members["line"] == nil {
                reader.report(node, "a point needs a 'call' or a 'line'")
            }
            return nil
        }
        return Point(
            roles: roles, place: place, nth: nth(members["nth"]) ?? Point.Range(1), times: times(members["times"]))
    }

    private func channel(_ node: Node?) -> String? {
        guard let node, let name = reader.text(node, "a channel's name") else { return nil }
        let names = topology.channels.map(\.name)
        if !names.contains(name) {
            reader.report(node, "no channel is named '\(name)'\(Suggestion.text(for: name, among: names))")
        }
        return name
    }

    private func nth(_ node: Node?) -> Point.Range? {
        reader.parsed(node, "a number from 1, or a span such as 1..40") { text in
            let ends = text.split(separator: ".", omittingEmptySubsequences: true).map { Int($0.trimmed) }
            guard let lower = ends.first ?? nil, let upper = ends.last ?? nil, (1...2).contains(ends.count), lower >= 1,
                lower <= upper, upper < 1 << 31
            else { return nil }
            return Point.Range(lower, upper)
        }
    }

    private func times(_ node: Node?) -> Int? {
        guard let node else { return 1 }
        if reader.text(node, "'times'") == "all" { return nil }
        return reader.integer(node, "'times' (or 'all')", atLeast: 1)
    }

    private func check(_ action: Fault.Action, _ trigger: Fault.Trigger, _ node: Node) {
        switch (action, trigger) {
        case (.delay, .time), (.errno, .time), (.close, .time):
            reader.report(node, "this fault happens in a call, so it needs a point: 'at', not 'after'")
        case (.close, .point(let point)):
            if case .channel = point.place { return }
            reader.report(node, "'close' needs a point on a channel: at {roles, call, channel}")
        case (.kill(nil, _), .time), (.stop(nil, _), .time), (.resume(nil), .time):
            reader.report(node, "a fault placed by time needs 'roles': whom it is done to")
        default: break
        }
    }

    func checkFaultNames(_ steps: [Step], _ faults: [Fault], _ node: Node) {
        let names = faults.map(\.name)
        for step in steps {
            guard case .wait(.fault(let name)) = step.action, !names.contains(name) else { continue }
            reader.report(
                node,
                "step '\(step.name)' waits for the fault '\(name)', which there is not\(Suggestion.text(for: name, among: names))"
            )
        }
    }
}
