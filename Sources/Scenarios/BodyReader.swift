import Yams

/// Reads what is done in a topology: steps and faults. Every role, channel and fault they name must exist.
struct BodyReader {
    let reader: YAMLReader
    let topology: Topology
    /// The roles of the processes that deployment steps start.
    var stepRoles: [Role] = []

    // MARK: names

    /// The roles that messages suggest.
    private var examples: [Role] {
        var roles = topology.processes.map(\.role)
        for rule in topology.children {
            let parents = roles.filter(rule.parent.matches)
            roles += parents.flatMap { parent in (0..<(rule.count ?? 1)).map { parent.child(rule.name, $0) } }
        }
        return roles + stepRoles
    }

    /// Whether a process of the topology can have a role that a pattern matches. How deep rules for children go nobody knows, for
    /// one may be about children of its own kind.
    private func canMatch(_ segments: ArraySlice<RolePattern.Segment>) -> Bool {
        guard let last = segments.last else { return true }
        let tops = topology.processes.map(\.role) + stepRoles
        let above = segments.dropLast()
        if above.isEmpty,
            tops.contains(where: { role in
                role.segments.last.map { $0.name == last.name && (last.index ?? $0.index) == $0.index } ?? false
            })
        {
            return true
        }
        return topology.children.contains { rule in
            guard rule.name == last.name, isPossible(last.index, of: rule) else { return false }
            let fits = zip(above.reversed(), rule.parent.segments.reversed()).allSatisfy { level, wanted in
                level.name == wanted.name && (level.index == nil || (wanted.index ?? level.index) == level.index)
            }
            return fits && canMatch(above)
        }
    }

    /// A child that has ended may be made anew, and has then a number beyond those that are there at first: each once, and one more.
    private func isPossible(_ index: Int?, of rule: Topology.Child) -> Bool {
        guard let index, let count = rule.count else { return true }
        return index <= 2 * count
    }

    func rolePattern(_ node: Node?, _ what: String = "a role") -> RolePattern? {
        guard let node, let pattern = reader.parsed(node, what, RolePattern.init(parsing:)) else { return nil }
        let isCommand = pattern.segments.count == 1 && pattern.segments[0].name == "run"
        if !isCommand, !canMatch(pattern.segments[...]) {
            let words = Set(examples.flatMap { [$0.description, $0.segments.last?.name ?? ""] })
            reader.report(
                node,
                "no process can have the role '\(pattern)'\(Suggestion.text(for: pattern.description, among: words))")
        }
        return pattern
    }

    func signal(_ node: Node?) -> Signal? {
        reader.parsed(node, "a signal", Signal.init(parsing:), among: Signal.names)
    }

    // MARK: steps

    func steps(_ node: Node) -> [Step] {
        var steps: [Step] = []
        let entries = reader.entries(node)
        var reading = self
        reading.stepRoles = Self.roles(ofSteps: entries)
        for name in Set(reading.stepRoles.map(\.general)).sorted()
        where topology.processes.contains(where: { $0.role.general == name }) {
            reader.report(
                node, "these steps start processes with the role '\(name)', which the topology has too: rename its own")
        }
        for entry in entries {
            guard let step = reading.step(entry, index: steps.count) else { continue }
            if steps.contains(where: { $0.name == step.name }) {
                reader.report(entry, "two steps are named '\(step.name)'; give one a 'name'")
            }
            steps.append(step)
        }
        return steps
    }

    private static let actions =
        ["start", "wait", "signal", "stop", "run"] + DeploymentStep.Kind.allCases.map(\.rawValue)

    private func step(_ node: Node, index: Int) -> Step? {
        guard let members = reader.members(node, "a step", keys: Self.actions + ["name", "within"]) else { return nil }
        let named = Self.actions.filter { members[$0] != nil }
        guard let kind = named.first, named.count == 1, let body = members[kind] else {
            reader.report(
                node, "a step does one of \(Self.actions.joined(separator: ", ")), this one \(named.count) of them")
            return nil
        }
        guard let action = action(kind, body) else { return nil }
        let flag = kind == "start" || kind == "wait" ? "must" : "group"
        let isSet = body.mapping?[flag].flatMap { reader.boolean($0, "'\(flag)'") }
        if case .wait(.exit) = action, isSet != nil {
            reader.report(body, "'must' says nothing of {exit: …}: that an end does not come is a violation always")
        }
        let name = reader.text(members["name"], "a name") ?? (kind == "start" ? "start" : "\(kind)-\(index)")
        return Step(
            name: name, action: action, within: reader.duration(members["within"], "a deadline") ?? .seconds(20),
            isOwed: flag == "must" ? isSet : nil, toGroup: flag == "group" && isSet == true)
    }

    private func action(_ kind: String, _ node: Node) -> Step.Action? {
        if let kind = DeploymentStep.Kind(rawValue: kind) { return deployment(kind, node).map { .deployment($0) } }
        switch kind {
        case "start":
            let members = reader.members(node, "'start'", keys: ["roles", "ready", "must"]) ?? [:]
            return .start(
                roles: rolePattern(members["roles"]), ready: reader.boolean(members["ready"], "'ready'") ?? true)
        case "wait": return condition(node).map { .wait($0) }
        case "signal", "stop":
            guard let members = reader.members(node, "'\(kind)'", keys: ["roles", "signal", "group"]) else {
                return nil
            }
            guard let roles = rolePattern(members["roles"]) else {
                if members["roles"] == nil { reader.report(node, "'\(kind)' needs 'roles'") }
                return nil
            }
            let signal = signal(members["signal"])
            if members["group"] != nil, members["signal"] == nil {
                reader.report(node, "'group' says to whom a 'signal' goes, and there is none")
            }
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
        let keys = ["log", "roles", "count", "exit", "fault", "point", "port", "socket", "must"]
        guard let members = reader.members(node, "'wait'", keys: keys) else { return nil }
        if let fault = reader.text(members["fault"] ?? members["point"], "a name") { return .reached(fault) }
        if let exit = members["exit"] { return rolePattern(exit).map { .exit(roles: $0) } }
        if let port = members["port"] {
            let roles = rolePattern(members["roles"])
            return reader.port(port).map { .port($0, roles: roles) }
        }
        if let socket = members["socket"] {
            let roles = rolePattern(members["roles"])
            return reader.socketPath(socket).map { .socket($0, roles: roles) }
        }
        guard let pattern = reader.pattern(members["log"], "a line pattern"), let roles = rolePattern(members["roles"])
        else {
            reader.report(
                node,
                "'wait' waits for {log: pattern, roles: …}, {exit: roles}, {port: number}, {socket: path}, {fault: name} or {point: name}"
            )
            return nil
        }
        return .log(roles: roles, pattern: pattern, count: reader.integer(members["count"], "a count", atLeast: 1) ?? 1)
    }

    /// Every name that a step waits for must be a fault's or a point's.
    func checkNames(_ steps: [Step], _ names: [String], _ node: Node) {
        for step in steps {
            guard case .wait(.reached(let name)) = step.action, !names.contains(name) else { continue }
            reader.report(
                node,
                "step '\(step.name)' waits for '\(name)', which is neither a fault nor a point\(Suggestion.text(for: name, among: names))"
            )
        }
    }
}

extension YAMLReader {
    /// A port of TCP.
    func port(_ node: Node) -> Int? {
        parsed(node, "a port, from 1 to 65535") { Int($0).flatMap { (1...65535).contains($0) ? $0 : nil } }
    }

    /// The path of a socket of the Unix family, as its process gives it to `bind(2)`.
    func socketPath(_ node: Node) -> String? {
        parsed(node, "a socket's path, from / on and of at most 107 bytes") { text in
            text.hasPrefix("/") && text.utf8.count < 108 ? text : nil
        }
    }
}
