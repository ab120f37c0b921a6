import Yams

/// Turns points, faults, steps and limits into the YAML that the loader reads back as equal values, and that a person would have
/// written: nothing that is the default stands in it.
enum ScenarioNodes {
    // MARK: faults

    static func faults(_ faults: [Fault]) -> Node {
        sequence(faults.enumerated().map { fault($0.element, index: $0.offset) })
    }

    private static func fault(_ fault: Fault, index: Int) -> Node {
        var pairs: [(String, Node)] = []
        if fault.name != "\(fault.action.kind)-\(index)" { pairs.append(("name", text(fault.name))) }
        pairs.append((fault.action.kind, action(fault.action)))
        switch fault.trigger {
        case .point(let point): pairs.append(("at", self.point(point)))
        case .time(let after, let step):
            pairs.append(("after", word(after.description)))
            if let step { pairs.append(("of", text(step))) }
        }
        if fault.isOptional { pairs.append(("optional", word("true"))) }
        return mapping(pairs, .block)
    }

    private static func action(_ action: Fault.Action) -> Node {
        switch action {
        case .kill(nil, let signal): word(self.signal(signal))
        case .kill(let roles?, let signal):
            mapping([("roles", word(roles.description)), ("signal", word(self.signal(signal)))])
        case .stop(let roles, let time), .freeze(let roles, let time), .exhaust(let roles, let time):
            whole(roles, [("for", time?.description)])
        case .resume(let roles): whole(roles, [])
        case .starve(let roles, let share, let time): whole(roles, [("share", "\(share)%"), ("for", time.description)])
        case .memory(let roles, let bytes):
            whole(roles, [("limit", bytes % (1 << 20) == 0 ? "\(bytes >> 20)MiB" : "\(bytes)B")])
        case .clock(let roles, let seconds): whole(roles, [("jump", "\(seconds)s")])
        case .delay(let span): word(span.description)
        case .hold(let until, let most):
            mapping(
                [("until", text(until))]
                    + (most == .seconds(5) ? [] : [("at-most", word(Span(most).description))]))
        case .errno(let error): word(error.name)
        case .answer(let value): word("\(value)")
        case .short(let range): word(self.range(range))
        case .poke(let argument, let bytes): poke(argument, bytes)
        case .close(let way): word(way.rawValue)
        }
    }

    /// A fault of whole processes.
    private static func whole(_ roles: RolePattern?, _ members: [(String, String?)]) -> Node {
        let given = members.compactMap { key, value in value.map { (key, word($0)) } }
        return mapping((roles.map { [("roles", word($0.description))] } ?? []) + given)
    }

    private static func poke(_ argument: Int, _ bytes: [UInt8]) -> Node {
        let isPlain = bytes.allSatisfy { (0x20...0x7E).contains($0) }
        let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
        return mapping([
            ("argument", word("\(argument)")),
            isPlain ? ("text", text(String(decoding: bytes, as: UTF8.self))) : ("hex", quoted(hex)),
        ])
    }

    static func signal(_ signal: Signal) -> String {
        signal.number <= Signal.names.count ? Signal.names[Int(signal.number) - 1] : "\(signal.number)"
    }

    // MARK: points

    static func points(_ points: [NamedPoint]) -> Node {
        .init(points.map { (text($0.name), point($0.point)) }, .implicit, .block)
    }

    static func point(_ point: Point) -> Node {
        var pairs = [(point.includesDescendants ? "under" : "roles", word(point.roles.description))]
        pairs += place(point)
        pairs += conditions(point.conditions)
        pairs += window(point.window)
        return mapping(pairs)
    }

    private static func place(_ point: Point) -> [(String, Node)] {
        switch point.place {
        case .calls(let names):
            let calls = names.count == 1 ? word(names[0]) : flow(names.map(word))
            return [("call", calls)] + (point.moment == .exit ? [("on", word("exit"))] : [])
        case .line(let pattern): return [("line", text(pattern))]
        case .mark(let name, let fields):
            if let function = fields["function"], fields.count == 1, ["enter", "return"].contains(name),
                function.split(separator: ":").count == 2
            {
                return [("function", text(function))] + (name == "return" ? [("on", word("exit"))] : [])
            }
            let pairs = fields.sorted { $0.key < $1.key }.map { ($0.key, text($0.value)) }
            return [("mark", text(name))] + (pairs.isEmpty ? [] : [("fields", mapping(pairs))])
        }
    }

    private static func conditions(_ conditions: Conditions) -> [(String, Node)] {
        var pairs: [(String, Node)] = []
        if let channel = conditions.channel { pairs.append(("channel", text(channel))) }
        if let path = conditions.path { pairs.append(("path", text(path))) }
        if let peer = conditions.peer { pairs.append(("peer", text(peer))) }
        let arguments = Dictionary(grouping: conditions.arguments, by: \.index).sorted { $0.key < $1.key }
        if !arguments.isEmpty {
            let members = arguments.map { index, alike in
                ("\(index)", alike.count == 1 ? argument(alike[0]) : flow(alike.map(argument)))
            }
            pairs.append(("args", mapping(members)))
        }
        switch conditions.thread {
        case .main?: pairs.append(("thread", word("main")))
        case .other?: pairs.append(("thread", word("other")))
        case .name(let pattern)?: pairs.append(("thread", text(pattern)))
        case nil: break
        }
        if conditions.isReady { pairs.append(("ready", word("true"))) }
        if conditions.isUnnamed { pairs.append(("unnamed", word("true"))) }
        if conditions.isEffective { pairs.append(("effective", word("true"))) }
        return pairs
    }

    private static func argument(_ condition: ArgumentCondition) -> Node {
        let isNegative = condition.value > UInt64(Int64.max)
        let value = isNegative ? "\(Int64(bitPattern: condition.value))" : "\(condition.value)"
        return word(condition.comparison == .equal ? value : "\(condition.comparison.rawValue) \(value)")
    }

    private static func window(_ window: Point.Window) -> [(String, Node)] {
        var pairs: [(String, Node)] = []
        if window.nth != Point.Range(1) { pairs.append(("nth", word(range(window.nth)))) }
        if let last = window.last {
            pairs.append(("last", word("\(last)")))
        } else if window.times != (window.probability == nil && window.every == 1 ? 1 : nil) {
            pairs.append(("times", word(window.times.map(String.init) ?? "all")))
        }
        if window.every != 1 { pairs.append(("every", word("\(window.every)"))) }
        if let probability = window.probability { pairs.append(("probability", word("\(probability)"))) }
        if let after = window.after { pairs.append(("after", text(after))) }
        if let before = window.before { pairs.append(("before", text(before))) }
        return pairs
    }

    private static func range(_ range: Point.Range) -> String {
        range.lower == range.upper ? "\(range.lower)" : "\(range.lower)..\(range.upper)"
    }

    // MARK: steps and limits

    /// - Parameter points: the names that are points' and not faults': a step says which it waits for.
    static func step(_ step: Step, index: Int, points: Set<String>) -> Node {
        let flags =
            (step.isOwed.map { [("must", word($0 ? "true" : "false"))] } ?? [])
            + (step.toGroup ? [("group", word("true"))] : [])
        let (kind, body) = action(step.action, flags, points)
        var pairs = [(kind, body)]
        if step.name != (kind == "start" ? "start" : "\(kind)-\(index)") { pairs.append(("name", text(step.name))) }
        if step.within != .seconds(20) { pairs.append(("within", word(Span(step.within).description))) }
        return mapping(pairs, .block)
    }

    private static func action(
        _ action: Step.Action, _ flags: [(String, Node)], _ points: Set<String>
    ) -> (String, Node) {
        switch action {
        case .start(let roles, let ready):
            let given =
                (roles.map { [("roles", word($0.description))] } ?? []) + (ready ? [] : [("ready", word("false"))])
            return ("start", mapping(given + flags))
        case .wait(.log(let roles, let pattern, let count)):
            let least = count == 1 ? [] : [("count", word("\(count)"))]
            return ("wait", mapping([("log", text(pattern)), ("roles", word(roles.description))] + least + flags))
        case .wait(.exit(let roles)): return ("wait", mapping([("exit", word(roles.description))]))
        case .wait(.reached(let name)):
            return ("wait", mapping([(points.contains(name) ? "point" : "fault", text(name))] + flags))
        case .wait(.port(let port, let roles)):
            let whose = roles.map { [("roles", word($0.description))] } ?? []
            return ("wait", mapping([("port", word("\(port)"))] + whose + flags))
        case .wait(.socket(let path, let roles)):
            let whose = roles.map { [("roles", word($0.description))] } ?? []
            return ("wait", mapping([("socket", text(path))] + whose + flags))
        case .signal(let roles, let signal):
            let given = [("roles", word(roles.description)), ("signal", word(self.signal(signal)))]
            return ("signal", mapping(given + flags))
        case .stop(let roles, let signal):
            let given = signal.map { [("signal", word(self.signal($0)))] } ?? []
            return ("stop", mapping([("roles", word(roles.description))] + given + flags))
        case .run(let command, let environment):
            let variables = environment.sorted { $0.key < $1.key }.map { ($0.key, text($0.value)) }
            let given = variables.isEmpty ? [] : [("env", mapping(variables))]
            return ("run", mapping([("command", flow(command.map(text)))] + given))
        case .deployment(let deployment): return (deployment.kind.rawValue, self.deployment(deployment))
        }
    }

    private static func deployment(_ step: DeploymentStep) -> Node {
        var pairs = [("tree", text(step.tree))]
        pairs += step.values.sorted { $0.key < $1.key }.map { ($0.key, text($0.value)) }
        pairs += step.flags.map { ($0, word("true")) }
        if !step.settings.isEmpty {
            pairs.append(("set", mapping(step.settings.sorted { $0.key < $1.key }.map { ($0.key, text($0.value)) })))
        }
        if step.expected != [.code(0)] {
            let ends = step.expected.map { status in
                if case .code(let code) = status {
                    word(step.kind.word(for: status) ?? "\(code)")
                } else {
                    // There is a word for every signal that can be expected.
                    word(step.kind.word(for: status) ?? "killed")
                }
            }
            pairs.append(("expect", ends.count == 1 ? ends[0] : flow(ends)))
        }
        return mapping(pairs)
    }

    static func limits(_ limits: Limits, over base: Limits) -> Node {
        var pairs: [(String, Node)] = []
        if limits.trial != base.trial { pairs.append(("trial", word(Span(limits.trial).description))) }
        if limits.outputBytes != base.outputBytes { pairs.append(("output", word("\(limits.outputBytes)B"))) }
        if limits.records != base.records { pairs.append(("records", word("\(limits.records)"))) }
        if limits.orphanGrace != base.orphanGrace {
            pairs.append(("orphan-grace", word(Span(limits.orphanGrace).description)))
        }
        return mapping(pairs)
    }

    // MARK: nodes

    /// A word of ours, which holds no variable.
    static func word(_ text: String) -> Node { Node(text) }

    /// A text of a user's: what looks like a variable in it is none.
    static func text(_ text: String) -> Node {
        Node(text.replacing("${", with: "$${"))
    }

    /// A text of digits that must stay a text for whoever else reads the file.
    private static func quoted(_ text: String) -> Node { Node(text, .implicit, .singleQuoted) }

    static func mapping(_ pairs: [(String, Node)], _ style: Node.Mapping.Style = .flow) -> Node {
        Node(pairs.map { (Node($0.0), $0.1) }, .implicit, style)
    }

    static func flow(_ nodes: [Node]) -> Node { Node(nodes, .implicit, .flow) }

    static func sequence(_ nodes: [Node]) -> Node { Node(nodes, .implicit, .block) }
}

extension Span: CustomStringConvertible {
    /// As scenario files have it: `200ms`, `50ms..1.5s`.
    public var description: String {
        lower == upper ? Self.text(lower) : "\(Self.text(lower))..\(Self.text(upper))"
    }

    private static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        for (unit, size) in [("s", Int64(1_000_000_000)), ("ms", 1_000_000)] where nanoseconds % size == 0 {
            return "\(nanoseconds / size)\(unit)"
        }
        let rest = nanoseconds % 1000
        let micros = "\(nanoseconds / 1000)"
        guard rest > 0 else { return "\(micros)us" }
        let digits = String(1000 + rest).dropFirst()
        return "\(micros).\(digits)us"
    }
}
