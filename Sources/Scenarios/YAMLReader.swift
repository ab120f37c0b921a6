import Yams

/// Reads one YAML file's nodes as typed values, replaces variables, and collects every problem on the way instead of
/// stopping at the first.
final class YAMLReader {
    let path: String
    private(set) var problems: [Problem] = []
    /// What `${name}` stands for in this file.
    var variables: [String: String]
    /// The variables that its file uses or defines.
    var names: Set<String> = []

    init(path: String, variables: [String: String]) {
        self.path = path
        self.variables = variables
    }

    func report(_ node: Node?, _ message: String) {
        // A hundred problems say as much as ten thousand.
        guard problems.count < 100 else { return }
        problems.append(
            Problem(path: path, line: node?.mark?.line ?? 0, column: node?.mark?.column ?? 0, message: message))
    }

    func adopt(_ others: [Problem]) { problems += others }

    // MARK: shapes

    /// The members of a mapping; keys that are not among `keys` are reported.
    func members(_ node: Node, _ what: String, keys: [String]) -> [String: Node]? {
        guard let members = members(node, what) else { return nil }
        for (key, value) in members where !keys.contains(key) {
            let place = node.mapping?.first { $0.key.string == key }?.key ?? value
            report(place, "unknown key '\(key)' in \(what)\(Suggestion.text(for: key, among: keys))")
        }
        return members
    }

    /// The members of a mapping with any keys.
    func members(_ node: Node, _ what: String) -> [String: Node]? {
        if let scalar = node.scalar, scalar.string.isEmpty || scalar.string == "{}" { return [:] }
        guard let mapping = node.mapping else {
            report(node, "\(what) must be a mapping (key: value)")
            return nil
        }
        var members: [String: Node] = [:]
        for (key, value) in mapping {
            guard let name = key.string else {
                report(key, "a key in \(what) must be a word")
                continue
            }
            if members.updateValue(value, forKey: name) != nil {
                report(key, "the key '\(name)' stands twice in \(what)")
            }
        }
        return members
    }

    /// The entries of a list; a single value counts as a list of one.
    func entries(_ node: Node?) -> [Node] {
        guard let node else { return [] }
        if let sequence = node.sequence { return Array(sequence) }
        return [node]
    }

    // MARK: values

    /// A scalar with its variables replaced.
    func text(_ node: Node?, _ what: String) -> String? {
        guard let node else { return nil }
        guard let scalar = node.scalar else {
            report(node, "\(what) must be a single value")
            return nil
        }
        return replaceVariables(scalar.string, node)
    }

    func integer(_ node: Node?, _ what: String, atLeast least: Int = 0) -> Int? {
        guard let node, let text = text(node, what) else { return nil }
        guard let value = Int(text), value >= least else {
            report(node, "\(what) must be a whole number, at least \(least), not '\(text)'")
            return nil
        }
        return value
    }

    func boolean(_ node: Node?, _ what: String) -> Bool? {
        guard let node, let text = text(node, what) else { return nil }
        guard let value = ["true": true, "yes": true, "false": false, "no": false][text] else {
            report(node, "\(what) must be true or false, not '\(text)'")
            return nil
        }
        return value
    }

    /// A value that a type can be parsed from.
    func parsed<Value>(_ node: Node?, _ what: String, _ parse: (String) -> Value?, among words: [String] = []) -> Value?
    {
        guard let node, let text = text(node, what) else { return nil }
        if let value = parse(text) { return value }
        report(node, "'\(text)' is not \(what)\(Suggestion.text(for: text, among: words))")
        return nil
    }

    /// A regular expression, as its text.
    func pattern(_ node: Node?, _ what: String) -> String? {
        guard let node, let text = text(node, what) else { return nil }
        do {
            _ = try Regex(text)
            return text
        } catch {
            report(node, "\(what) '\(text)' is not a regular expression: \(error)")
            return nil
        }
    }

    func duration(_ node: Node?, _ what: String) -> Duration? {
        parsed(node, "\(what) (a time such as 200ms, 1.5s or 2m)", Self.duration)
    }

    /// A time, or two with `..` between them.
    func span(_ node: Node?, _ what: String) -> Span? {
        parsed(node, "\(what) (a time such as 200ms, or a span such as 50ms..400ms)", Span.init(parsing:))
    }

    static func duration(_ text: String) -> Duration? {
        let number = text.prefix { $0.isNumber || $0 == "." }
        guard let value = Double(number), value.isFinite, value >= 0, value < 1e9 else { return nil }
        let seconds: Double? =
            switch text.dropFirst(number.count).trimmed {
            case "us": value / 1e6
            case "ms": value / 1e3
            case "s": value
            case "m": value * 60
            case "h": value * 3600
            default: nil
            }
        return seconds.map { .nanoseconds(Int64(($0 * 1e9).rounded())) }
    }

    static func bytes(_ text: String) -> Int? {
        let number = text.prefix { $0.isNumber }
        guard let value = Int(number), value < 1 << 40 else { return nil }
        return switch text.dropFirst(number.count).trimmed {
        case "", "B": value
        case "KiB": value << 10
        case "MiB": value << 20
        case "GiB": value << 30
        default: nil
        }
    }

    // MARK: variables

    /// The variables that only Fracas sets.
    static let ownNames: Set<String> = ["here", "index"]

    /// What was used of the variables that were given, and which could have been.
    func used(given: [String: String]) -> Scenario.Variables {
        Scenario.Variables(
            given: given.filter { names.contains($0.key) }, names: names.subtracting(Self.ownNames).sorted())
    }

    /// Replaces every `${name}`; `$${` stands for `${` itself.
    private func replaceVariables(_ text: String, _ node: Node) -> String {
        var result = ""
        var rest = Substring(text)
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                result += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${"), let close = rest.firstIndex(of: "}") {
                let name = String(rest[rest.index(rest.startIndex, offsetBy: 2)..<close])
                names.insert(name)
                if let value = variables[name] {
                    result += value
                } else {
                    report(node, "unknown variable '${\(name)}'\(Suggestion.text(for: name, among: variables.keys))")
                }
                rest = rest[rest.index(after: close)...]
            } else {
                result.append(rest.removeFirst())
            }
        }
        return result + rest
    }
}

extension Span {
    /// Parses a time, or two with `..` between them: `200ms`, `50ms..1.5s`; nil when `text` is neither.
    public init?(parsing text: String) {
        let ends = text.components(separatedBy: "..")
        let times = ends.compactMap(YAMLReader.duration)
        guard times.count == ends.count, (1...2).contains(times.count), times[0] <= times[times.count - 1] else {
            return nil
        }
        self.init(times[0], times[times.count - 1])
    }
}

extension StringProtocol {
    var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = Substring(self)
        while let range = rest.range(of: separator) {
            parts.append(String(rest[..<range.lowerBound]).trimmed)
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest).trimmed]
    }

    private func range(of text: String) -> Range<Index>? {
        indices.first { self[$0...].hasPrefix(text) }.map { $0..<index($0, offsetBy: text.count) }
    }
}
