import Yams

/// Reads points: where a fault is placed, and the points that have a name of their own.
struct PointReader {
    let body: BodyReader
    private var reader: YAMLReader { body.reader }

    init(body: BodyReader) { self.body = body }

    private static let windowKeys = ["nth", "times", "last", "every", "probability", "after", "before"]
    private static let conditionKeys = ["channel", "path", "peer", "args", "thread", "ready", "unnamed", "effective"]
    private static let placeKeys = ["call", "line", "mark", "fields", "function"]

    /// The scenario's `points`: a mapping from names to points.
    func named(_ node: Node) -> [NamedPoint] {
        let members = reader.members(node, "'points'") ?? [:]
        return members.sorted { $0.key < $1.key }.compactMap { name, value in
            point(value).map { NamedPoint(name: name, point: $0) }
        }
    }

    func point(_ node: Node) -> Point? {
        let keys = ["roles", "under", "on"] + Self.placeKeys + Self.conditionKeys + Self.windowKeys
        guard let members = reader.members(node, "a point", keys: keys) else { return nil }
        if members["roles"] != nil, members["under"] != nil {
            reader.report(node, "a point has 'roles' (who) or 'under' (these and all below them), not both")
        }
        guard let roles = body.rolePattern(members["roles"] ?? members["under"]) else {
            if members["roles"] == nil, members["under"] == nil {
                reader.report(node, "a point needs 'roles' (who must reach it) or 'under' (these and all below them)")
            }
            return nil
        }
        let moments = Point.Moment.allCases.map(\.rawValue)
        let moment =
            reader.parsed(members["on"], "a moment", Point.Moment.init(rawValue:), among: moments) ?? .entry
        let conditions = conditions(members)
        guard let place = place(members, node, conditions, moment) else { return nil }
        var isCall = false
        if case .calls = place { isCall = true }
        return Point(
            roles: roles, includesDescendants: members["under"] != nil, place: place, conditions: conditions,
            // A function's return is a mark of its own, caught as that mark is written.
            moment: isCall ? moment : .entry, window: window(members, node))
    }

    // MARK: what is done there

    private func place(
        _ members: [String: Node], _ node: Node, _ conditions: Conditions, _ moment: Point.Moment
    ) -> Point.Place? {
        let kinds = ["call", "line", "mark", "function"].filter { members[$0] != nil }
        guard kinds.count == 1 else {
            reader.report(
                node,
                kinds.isEmpty
                    ? "a point needs a 'call', a 'line', a 'mark' or a 'function'"
                    : "a point is one of \(kinds.joined(separator: ", ")), not several")
            return nil
        }
        if let calls = members["call"] { return callPlace(calls, conditions, moment) }
        for key in Self.conditionKeys + (kinds == ["function"] ? [] : ["on"]) where members[key] != nil {
            reader.report(members[key], "'\(key)' is a condition on a call; this point is a \(kinds[0])")
        }
        if let line = members["line"] { return reader.pattern(line, "a line pattern").map { .line($0) } }
        if let function = reader.text(members["function"], "a function") {
            guard function.split(separator: ":").count == 2 else {
                reader.report(
                    members["function"],
                    "a function is module:name, as in package.module:Class.method, not '\(function)'")
                return nil
            }
            return .mark(moment == .entry ? "enter" : "return", fields: ["function": function])
        }
        var fields: [String: String] = [:]
        if let node = members["fields"] {
            for (key, value) in reader.members(node, "'fields'") ?? [:] {
                fields[key] = reader.text(value, "a pattern")
            }
        }
        return reader.text(members["mark"], "a mark's name").map { .mark($0, fields: fields) }
    }

    private func callPlace(_ node: Node, _ conditions: Conditions, _ moment: Point.Moment) -> Point.Place? {
        var names: Set<String> = []
        for entry in reader.entries(node) {
            guard let text = reader.text(entry, "a system call") else { return nil }
            let isClass = text.hasPrefix("%")
            let found = isClass ? group(text, entry) : single(text, entry)
            // Of a class those are meant that can meet the conditions; a call named by itself must be able to.
            let able = found.filter { name in
                guard let reason = Self.impossibility(name, conditions, moment) else { return true }
                if !isClass { reader.report(entry, reason) }
                return false
            }
            if able.isEmpty, !found.isEmpty, isClass {
                reader.report(entry, "no call of \(text) can meet these conditions")
            }
            names.formUnion(able)
        }
        return names.isEmpty ? nil : .calls(names.sorted())
    }

    private func group(_ text: String, _ node: Node) -> [String] {
        let name = String(text.dropFirst())
        let words = CallClass.allCases.map(\.rawValue)
        guard let group = CallClass(rawValue: name) else {
            reader.report(node, "'\(text)' is not a class of calls\(Suggestion.text(for: name, among: words))")
            return []
        }
        return SystemCalls.names(in: group)
    }

    private func single(_ text: String, _ node: Node) -> [String] {
        guard SystemCalls.call(text) == nil else { return [text] }
        reader.report(node, "'\(text)' is not a system call\(Suggestion.text(for: text, among: SystemCalls.names))")
        return []
    }

    /// Why a call can never be at a point with these conditions; nil when it can.
    static func impossibility(_ name: String, _ conditions: Conditions, _ moment: Point.Moment) -> String? {
        guard let call = SystemCalls.call(name) else { return "'\(name)' is not a system call" }
        if moment == .exit, !call.returns { return "'\(name)' never returns to its caller, so it has no 'on: exit'" }
        let onDescriptor = [
            (conditions.channel != nil, "channel"), (conditions.isReady, "ready"), (conditions.isUnnamed, "unnamed"),
        ]
        for (isAsked, what) in onDescriptor where isAsked && call.descriptor == nil {
            return "'\(what)' can never hold of '\(name)', which works on no descriptor"
        }
        if conditions.path != nil, call.descriptor == nil, call.paths.isEmpty {
            return "'path' can never hold of '\(name)', which works on no file"
        }
        if conditions.peer != nil, call.descriptor == nil {
            return "'peer' can never hold of '\(name)', which works on no socket"
        }
        return nil
    }

    // MARK: conditions

    private func conditions(_ members: [String: Node]) -> Conditions {
        Conditions(
            channel: members["channel"].flatMap(channel), path: reader.text(members["path"], "a path pattern"),
            peer: reader.text(members["peer"], "a peer pattern"), arguments: arguments(members["args"]),
            thread: thread(members["thread"]), isReady: reader.boolean(members["ready"], "'ready'") ?? false,
            isUnnamed: unnamed(members),
            isEffective: reader.boolean(members["effective"], "'effective'") ?? false)
    }

    private func unnamed(_ members: [String: Node]) -> Bool {
        let isUnnamed = reader.boolean(members["unnamed"], "'unnamed'") ?? false
        if isUnnamed, members["channel"] != nil {
            reader.report(members["unnamed"], "'unnamed' is to be on no channel, so it never holds with 'channel'")
        }
        return isUnnamed
    }

    private func channel(_ node: Node) -> String? {
        guard let name = reader.text(node, "a channel's name") else { return nil }
        let names = body.topology.channels.map(\.name)
        if !names.contains(name) {
            reader.report(node, "no channel is named '\(name)'\(Suggestion.text(for: name, among: names))")
        }
        return name
    }

    private func thread(_ node: Node?) -> ThreadCondition? {
        guard let node, let text = reader.text(node, "a thread") else { return nil }
        return switch text {
        case "main": .main
        case "other": .other
        default: .name(text)
        }
    }

    private func arguments(_ node: Node?) -> [ArgumentCondition] {
        guard let node, let members = reader.members(node, "'args'") else { return [] }
        var conditions: [ArgumentCondition] = []
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            guard let index = Int(key), (0...5).contains(index) else {
                reader.report(value, "'\(key)' is not an argument: they are numbered 0 to 5")
                continue
            }
            for entry in reader.entries(value) {
                let condition = reader.parsed(entry, "a condition such as 5, \">= 4096\" or \"& 0x40\"") {
                    Self.argument(index, $0)
                }
                guard let condition else { continue }
                conditions.append(condition)
                if Self.contradicts(conditions, condition) {
                    reader.report(entry, "argument \(index) can never meet all of its conditions")
                }
            }
        }
        return conditions
    }

    static func argument(_ index: Int, _ text: String) -> ArgumentCondition? {
        let operators = ArgumentCondition.Comparison.allCases.sorted { $0.rawValue.count > $1.rawValue.count }
        let trimmed = text.trimmed
        let comparison = operators.first { trimmed.hasPrefix($0.rawValue) }
        let number = comparison.map { String(trimmed.dropFirst($0.rawValue.count)).trimmed } ?? trimmed
        let value: UInt64? =
            if number.hasPrefix("0x") { UInt64(number.dropFirst(2), radix: 16) } else if number.hasPrefix("-") {
                Int64(number).map { UInt64(bitPattern: $0) }
            } else { UInt64(number) }
        return value.map { ArgumentCondition(index: index, comparison: comparison ?? .equal, value: $0) }
    }

    /// Whether no value at all meets every condition on the argument of the last one.
    private static func contradicts(_ conditions: [ArgumentCondition], _ last: ArgumentCondition) -> Bool {
        let same = conditions.filter { $0.index == last.index }
        // If there is a value, one of the bounds or a neighbour of it is such a value.
        let bits = same.filter { $0.comparison == .hasBits }.reduce(UInt64(0)) { $0 | $1.value }
        let candidates = same.flatMap { [$0.value, $0.value &+ 1, $0.value &- 1] } + [0, .max, bits]
        let all = candidates + candidates.map { $0 | bits }
        return !all.contains { value in same.allSatisfy { $0.isMet(by: value) } }
    }

    // MARK: which time

    private func window(_ members: [String: Node], _ node: Node) -> Point.Window {
        var window = Point.Window(nth: nth(members["nth"]) ?? Point.Range(1))
        window.every = reader.integer(members["every"], "'every'", atLeast: 1) ?? 1
        if let probability = members["probability"] {
            window.probability = reader.parsed(probability, "a probability above 0 and at most 1") { text in
                Double(text).flatMap { $0 > 0 && $0 <= 1 ? $0 : nil }
            }
        }
        window.times = window.probability == nil && members["every"] == nil ? 1 : nil
        if let times = members["times"] {
            window.times =
                reader.text(times, "'times'") == "all"
                ? nil : reader.integer(times, "'times' (or 'all')", atLeast: 1)
        }
        if let last = reader.integer(members["last"], "'last'", atLeast: 1) {
            if members["times"] != nil { reader.report(members["last"], "'last' and 'times' say the same: give one") }
            if last < window.nth.upper {
                reader.report(
                    members["last"],
                    "'last' is \(last), before the first ('nth' up to \(window.nth.upper)): it never fires")
            }
            window.last = last
            window.times = nil
        }
        window.after = reader.text(members["after"], "a name")
        window.before = reader.text(members["before"], "a name")
        if let after = window.after, after == window.before {
            reader.report(node, "'after' and 'before' name the same point '\(after)': it never fires")
        }
        return window
    }

    func nth(_ node: Node?) -> Point.Range? {
        reader.parsed(node, "a number from 1, or a span such as 1..40") { text in
            let ends = text.split(separator: ".", omittingEmptySubsequences: true).map { Int($0.trimmed) }
            guard let lower = ends.first ?? nil, let upper = ends.last ?? nil, (1...2).contains(ends.count), lower >= 1,
                lower <= upper, upper < 1 << 31
            else { return nil }
            return Point.Range(lower, upper)
        }
    }

    /// Every name that a window or a hold refers to must be there, and not be the thing itself.
    func checkReferences(_ faults: [Fault], _ points: [NamedPoint], _ steps: [Step], _ node: Node) {
        let names = faults.map(\.name) + points.map(\.name) + steps.map(\.name)
        func check(_ reference: String?, _ word: String, of name: String) {
            guard let reference else { return }
            if reference == name {
                reader.report(node, "'\(name)' is placed '\(word)' itself: it never fires")
            } else if !names.contains(reference) {
                reader.report(
                    node,
                    "'\(name)' is placed '\(word)' '\(reference)', which is neither a fault, a point nor a step\(Suggestion.text(for: reference, among: names))"
                )
            }
        }
        for (name, point) in points.map({ ($0.name, $0.point) })
            + faults.compactMap({ f in f.point.map { (f.name, $0) } })
        {
            check(point.window.after, "after", of: name)
            check(point.window.before, "before", of: name)
        }
        for fault in faults {
            if case .hold(let until, _) = fault.action { check(until, "until", of: fault.name) }
        }
    }
}
