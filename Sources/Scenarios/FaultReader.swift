import Yams

/// Reads what is broken: each fault's action, and where it is placed.
struct FaultReader {
    let body: BodyReader
    let points: PointReader
    /// What this host cannot give, and why.
    let lacking: [HostNeed: String]
    private var reader: YAMLReader { body.reader }

    init(body: BodyReader, points: PointReader, lacking: [HostNeed: String]) {
        self.body = body
        self.points = points
        self.lacking = lacking
    }

    static let kinds = [
        "kill", "stop", "continue", "freeze", "starve", "memory", "exhaust", "clock", "delay", "hold", "errno",
        "return",
        "short", "poke", "close",
    ]

    func faults(_ node: Node?, steps: [Step]) -> [Fault] {
        var faults: [Fault] = []
        for entry in reader.entries(node) {
            guard let fault = fault(entry, index: faults.count, steps: steps) else { continue }
            faults.append(fault)
        }
        return faults
    }

    private func fault(_ node: Node, index: Int, steps: [Step]) -> Fault? {
        let keys = Self.kinds + ["name", "at", "after", "of", "optional"]
        guard let members = reader.members(node, "a fault", keys: keys) else { return nil }
        let named = Self.kinds.filter { members[$0] != nil }
        guard let kind = named.first, named.count == 1, let body = members[kind] else {
            reader.report(
                node, "a fault does one of \(Self.kinds.joined(separator: ", ")), this one \(named.count) of them")
            return nil
        }
        guard let action = action(kind, body), let trigger = trigger(members, node, steps) else { return nil }
        let fault = Fault(
            name: reader.text(members["name"], "a name") ?? "\(kind)-\(index)", action: action, trigger: trigger,
            isOptional: reader.boolean(members["optional"], "'optional'") ?? false)
        check(fault, node)
        return fault
    }

    // MARK: actions

    private func action(_ kind: String, _ node: Node) -> Fault.Action? {
        switch kind {
        case "kill":
            if node.scalar != nil { return body.signal(node).map { .kill(roles: nil, signal: $0) } }
            let members = reader.members(node, "'kill'", keys: ["roles", "signal"]) ?? [:]
            return .kill(roles: body.rolePattern(members["roles"]), signal: body.signal(members["signal"]) ?? .kill)
        case "delay": return reader.span(node, "a delay").map { .delay($0) }
        case "hold": return hold(node)
        case "errno":
            return reader.parsed(
                node, "an error of errno(3)", ErrorName.init(parsing:), among: Array(ErrorName.numbers.keys)
            )
            .map { .errno($0) }
        case "return":
            // The kernel takes -1 to -4095 as errors; those have names.
            return reader.parsed(node, "a value to return, not an error (that is 'errno')") { text in
                Int(text).flatMap { (-4095 ... -1).contains($0) ? nil : .answer($0) }
            }
        case "short": return points.nth(node).map { .short($0) }
        case "poke": return poke(node)
        case "close":
            let ways = Fault.Closing.allCases.map(\.rawValue)
            return reader.parsed(node, "what to close", Fault.Closing.init(rawValue:), among: ways).map { .close($0) }
        default: return processAction(kind, node)
        }
    }

    /// The faults that happen to whole processes.
    private func processAction(_ kind: String, _ node: Node) -> Fault.Action? {
        let own = ["starve": ["share"], "memory": ["limit"], "clock": ["jump"]][kind] ?? []
        let timed = ["stop", "freeze", "starve", "exhaust"].contains(kind) ? ["for"] : []
        let members = reader.members(node, "'\(kind)'", keys: ["roles"] + timed + own) ?? [:]
        let roles = body.rolePattern(members["roles"])
        let time = reader.span(members["for"], "a time")
        for key in own + (kind == "starve" ? ["for"] : []) where members[key] == nil {
            reader.report(node, "'\(kind)' needs '\(key)'")
        }
        switch kind {
        case "stop": return .stop(roles: roles, time: time)
        case "continue": return .resume(roles: roles)
        case "freeze": return .freeze(roles: roles, time: time)
        case "exhaust": return .exhaust(roles: roles, time: time)
        case "starve":
            let share = reader.parsed(members["share"], "a share from 1 to 99 (percent)") { text in
                Int(text.hasSuffix("%") ? text.dropLast().trimmed : text).flatMap { (1...99).contains($0) ? $0 : nil }
            }
            guard let share, let time else { return nil }
            return .starve(roles: roles, share: share, time: time)
        case "memory":
            let bytes = reader.parsed(members["limit"], "a size from 1MiB") { text in
                YAMLReader.bytes(text).flatMap { $0 >= 1 << 20 ? $0 : nil }
            }
            return bytes.map { .memory(roles: roles, bytes: $0) }
        default:
            let jump = reader.parsed(members["jump"], "a jump such as 1h or -30s, in whole seconds") { text -> Int? in
                let isBack = text.hasPrefix("-")
                guard let time = YAMLReader.duration(String(text.drop { "+-".contains($0) })) else { return nil }
                let (seconds, rest) = time.components
                return rest == 0 && seconds > 0 ? Int(isBack ? -seconds : seconds) : nil
            }
            return jump.map { .clock(roles: roles, seconds: $0) }
        }
    }

    private func hold(_ node: Node) -> Fault.Action? {
        let members = reader.members(node, "'hold'", keys: ["until", "at-most"]) ?? [:]
        guard let until = reader.text(members["until"], "a name") else {
            reader.report(node, "'hold' needs 'until': the name of a fault or a point")
            return nil
        }
        return .hold(until: until, atMost: reader.duration(members["at-most"], "a bound") ?? .seconds(5))
    }

    private func poke(_ node: Node) -> Fault.Action? {
        let members = reader.members(node, "'poke'", keys: ["argument", "text", "hex"]) ?? [:]
        let argument = reader.parsed(members["argument"], "an argument, 0 to 5") { text in
            Int(text).flatMap { (0...5).contains($0) ? $0 : nil }
        }
        var bytes = reader.text(members["text"], "a text").map { Array($0.utf8) }
        if let hex = members["hex"] {
            bytes = reader.parsed(hex, "bytes in hexadecimal, such as 00 ff 41") { text in
                let digits = Array(text.filter { !$0.isWhitespace })
                let pairs = stride(from: 0, to: digits.count - 1, by: 2).map {
                    UInt8(String(digits[$0...$0 + 1]), radix: 16)
                }
                return digits.count % 2 == 0 && !pairs.contains(nil) ? pairs.compactMap(\.self) : nil
            }
        }
        guard let argument, let bytes, (1...4096).contains(bytes.count) else {
            reader.report(node, "'poke' needs 'argument' and 'text' or 'hex' (1 to 4096 bytes)")
            return nil
        }
        return .poke(argument: argument, bytes: bytes)
    }

    // MARK: where

    private func trigger(_ members: [String: Node], _ node: Node, _ steps: [Step]) -> Fault.Trigger? {
        if let at = members["at"] {
            if members["after"] != nil {
                reader.report(members["after"], "a fault is placed 'at' a point or 'after' a time, not both")
            }
            return points.point(at).map { .point($0) }
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

    // MARK: what cannot be

    private func check(_ fault: Fault, _ node: Node) {
        for need in fault.needs {
            guard let reason = lacking[need] else { continue }
            reader.report(node, "the fault '\(fault.name)' cannot be injected on this host: \(reason)")
        }
        guard let point = fault.point else {
            if fault.action.needsCall {
                reader.report(node, "this fault happens in a call, so it needs a point: 'at', not 'after'")
            } else if fault.action.roles == nil {
                reader.report(node, "a fault placed by time needs 'roles': whom it is done to")
            }
            return
        }
        guard case .calls(let calls) = point.place else {
            switch fault.action {
            case .short, .poke, .close:
                reader.report(node, "'\(fault.action.kind)' needs a point at a call: at {roles, call}")
            default: break
            }
            return
        }
        for name in calls {
            guard let call = SystemCalls.call(name), let reason = Self.impossibility(fault.action, call, point) else {
                continue
            }
            reader.report(node, reason)
            return
        }
    }

    /// Why an action can do nothing at a call; nil when it can.
    private static func impossibility(_ action: Fault.Action, _ call: SystemCall, _ point: Point) -> String? {
        switch action {
        case .close(let way):
            if way == .descriptor, call.length == nil && call.vectorCount == nil || call.classes.contains(.network) {
                return
                    "'close: descriptor' needs a call that reads or writes, such as read or writev, not '\(call.name)'"
            }
            if call.descriptor == nil { return "'close' needs a call on a descriptor, which '\(call.name)' is not" }
            if point.moment == .exit { return "'close' happens on entry of a call, not 'on: exit'" }
        case .short:
            if call.length == nil, call.vectorCount == nil {
                return "'short' needs a call that may transfer fewer bytes, such as read or write, not '\(call.name)'"
            }
            if point.moment == .exit { return "'short' happens on entry of a call, not 'on: exit'" }
        case .errno, .answer:
            if !call.returns, call.name != "execve", call.name != "execveat" {
                return "'\(call.name)' cannot be answered: it never returns"
            }
        default: break
        }
        return nil
    }
}

extension Fault.Action {
    /// Whom a fault is done to, where it says so itself.
    var roles: RolePattern? {
        switch self {
        case .kill(let roles, _), .stop(let roles, _), .resume(let roles), .freeze(let roles, _),
            .starve(let roles, _, _),
            .memory(let roles, _), .exhaust(let roles, _), .clock(let roles, _):
            roles
        case .delay, .hold, .errno, .answer, .short, .poke, .close: nil
        }
    }
}
