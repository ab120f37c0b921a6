import Foundation
import Yams

/// Writes a variation of a scenario as the file a person would have made of it: what is as in the file it came from stands there in
/// that file's own words, its variables included, and only what differs is written out.
public struct ScenarioWriter {
    /// The scenario as its file has it now.
    public let origin: Scenario
    private let members: [String: Node]
    /// The file's own text of each of its keys.
    private let own: [String: String]
    private let directory: String
    private let path: String
    private let variables: [String: String]
    /// Whether all is written out, for there is no file to take it from.
    private let isWhole: Bool

    /// Writes a scenario in full, as a ledger holds it, with every variable replaced.
    public init(ownOf scenario: Scenario) {
        origin = scenario
        members = [:]
        own = [:]
        directory = scenario.source.map(ScenarioLoader.directory) ?? "/"
        path = scenario.source ?? scenario.name
        variables = [:]
        isWhole = true
    }

    /// Reads the file that a scenario came from.
    /// - Parameter variables: what `${…}` stood for when the scenario was loaded, besides what the files define.
    /// - Throws: `ScenarioError` when the file is not known, is gone, or gives something else by now.
    public init(originOf scenario: Scenario, variables: [String: String]) throws(ScenarioError) {
        guard let path = scenario.source else {
            throw Self.error(
                scenario.name, "it is not known which file this scenario came from: name the file with --scenario")
        }
        guard FileManager.default.fileExists(atPath: path) else {
            throw Self.error(
                path,
                "the file that the scenario came from is gone: put it back, or name where it is now with --scenario")
        }
        origin = try ScenarioLoader.load(path: path, variables: variables)
        for (isAlike, what) in [
            (origin.topology == scenario.topology, "topology"), (origin.expect == scenario.expect, "expectations"),
        ] where !isAlike {
            throw Self.error(
                path,
                "this file's \(what) are not those of the trial: give the --python and --set that the trial was run with, or "
                    + "the file as it was then with --scenario")
        }
        let text = try ScenarioLoader.text(of: path)
        let root = try ScenarioLoader.compose(text, path)
        var members: [String: Node] = [:]
        for (key, value) in root.mapping ?? .init([]) { if let name = key.string { members[name] = value } }
        own = Self.sections(of: text, root)
        self.members = members
        isWhole = false
        self.path = path
        directory = ScenarioLoader.directory(of: path)
        self.variables = variables
    }

    /// The file's text.
    /// - Parameters:
    ///   - path: where it will stand: relative names are made to fit.
    ///   - comment: its first line, without the `#`.
    /// - Throws: `ScenarioError` when what would be read back is not the scenario.
    public func text(of scenario: Scenario, at path: String, comment: String? = nil) throws(ScenarioError) -> String {
        let place = URL(fileURLWithPath: path).standardizedFileURL.path
        let way = Self.way(from: ScenarioLoader.directory(of: place), to: directory)
        // Beside its origin it must say the very same; elsewhere a path may be another way to the same file.
        try check(
            try self.text(of: scenario, way: "", path, comment), "\(directory)/\(scenario.name).yaml", scenario, path)
        let text = try self.text(of: scenario, way: way, path, comment)
        _ = try ScenarioLoader.load(text: text, path: place, variables: variables)
        return text
    }

    private func text(
        of scenario: Scenario, way: String, _ path: String, _ comment: String?
    ) throws(ScenarioError) -> String {
        var text = comment.map { "# \($0)\n" } ?? ""
        text += try Self.section("summary", ScenarioNodes.text(scenario.summary), path)
        if let finding = scenario.finding { text += try Self.section("finding", ScenarioNodes.text(finding), path) }
        if let known = scenario.known { text += try Self.section("known", ScenarioNodes.known(known), path) }
        if let node = members["topology"] { text += try topology(node, way, path) }
        if isWhole { text += try Self.section("topology", ScenarioNodes.topology(scenario.topology), path) }
        if scenario.steps == origin.steps, !isWhole {
            text += try asItWas("steps", way, path)
        } else {
            text += try Self.section("steps", steps(scenario), path)
        }
        if !scenario.points.isEmpty {
            let points = scenario.points.sorted { $0.name < $1.name }
            text += try Self.section("points", ScenarioNodes.points(points), path)
        }
        if !scenario.faults.isEmpty {
            text += try Self.section("faults", ScenarioNodes.faults(scenario.faults), path)
        }
        text += try asItWas("expect", way, path)
        if isWhole { text += try Self.section("expect", ScenarioNodes.expectations(scenario.expect), path) }
        if scenario.limits == origin.limits, !isWhole {
            text += try asItWas("limits", way, path)
        } else {
            text += try Self.section("limits", ScenarioNodes.limits(scenario.limits, over: Limits()), path)
        }
        text += try asItWas("files", way, path)
        return text
    }

    // MARK: sections

    /// The text of each key where every key begins a line of its own, as in a file that a person wrote; nothing otherwise.
    private static func sections(of text: String, _ root: Node) -> [String: String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let keys = (root.mapping ?? .init([])).map(\.key)
        let starts = keys.map { $0.mark.map { $0.column == 1 ? $0.line : 0 } ?? 0 }
        guard starts.first ?? 0 > 0, zip(starts, starts.dropFirst()).allSatisfy({ $0 < $1 }) else { return [:] }
        var sections: [String: String] = [:]
        for (key, (start, end)) in zip(keys, zip(starts, starts.dropFirst() + [lines.count + 1])) {
            var own = lines[(start - 1)..<(end - 1)]
            // What stands before the next key speaks of that one.
            while let last = own.last, last.trimmed.isEmpty || last.hasPrefix("#") { own.removeLast() }
            if let name = key.string { sections[name] = own.joined(separator: "\n") + "\n" }
        }
        return sections
    }

    /// What the origin has under a key, for a file that stands elsewhere: `${here}` is still where it was.
    private func asItWas(_ key: String, _ way: String, _ path: String) throws(ScenarioError) -> String {
        guard let node = members[key] else { return "" }
        var text = own[key] ?? ""
        if text.isEmpty { text = try Self.section(key, node, path) }
        guard !way.isEmpty else { return text }
        return text.replacing("$${here}", with: "\u{0}").replacing("${here}", with: "${here}/\(way)")
            .replacing("\u{0}", with: "$${here}")
    }

    private func topology(_ node: Node, _ way: String, _ path: String) throws(ScenarioError) -> String {
        let text = try asItWas("topology", way, path)
        guard let name = node.mapping?["file"]?.string, !name.hasPrefix("/"), !name.hasPrefix("${"), !way.isEmpty else {
            return text
        }
        guard let key = text.firstRange(of: "file:"), let place = text[key.upperBound...].firstRange(of: name) else {
            throw Self.error(path, "the topology's file '\(name)' cannot be found in the text of \(self.path)")
        }
        return text[..<place.lowerBound] + Self.joined(way, name) + text[place.upperBound...]
    }

    private func steps(_ scenario: Scenario) -> Node {
        let own = members["steps"].map { $0.sequence.map { Array($0) } ?? [$0] } ?? []
        let points = Set(scenario.points.map(\.name))
        return ScenarioNodes.sequence(
            scenario.steps.enumerated().map { index, step in
                // A step that is as it was keeps its own words, if its name does not depend on its place.
                if let place = origin.steps.firstIndex(of: step), own.indices.contains(place),
                    place == index || own[place].mapping?["name"] != nil
                {
                    return Self.styled(own[place], .block)
                }
                return ScenarioNodes.step(step, index: index, points: points)
            })
    }

    /// A node in the style of ours: a mapping of one line each, whose values each take one.
    private static func styled(_ node: Node, _ style: Node.Mapping.Style) -> Node {
        switch node {
        case .scalar, .alias: node
        case .mapping(let mapping): Node(mapping.map { ($0.key, styled($0.value, .flow)) }, .implicit, style)
        case .sequence(let sequence): Node(sequence.map { styled($0, .flow) }, .implicit, .flow)
        }
    }

    // MARK: text

    private static func section(_ key: String, _ node: Node, _ path: String) throws(ScenarioError) -> String {
        do {
            let isBlock = node.sequence.map { $0.style != .flow } ?? node.mapping.map { $0.style != .flow } ?? false
            guard isBlock else {
                return try serialize(
                    node: Node([(Node(key), node)], .implicit, .block), width: -1, allowUnicode: true)
            }
            let body = try serialize(node: node, width: -1, allowUnicode: true)
            let lines = body.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            return "\(key):\n" + lines.map { $0.isEmpty ? "\n" : "  \($0)\n" }.joined()
        } catch { throw Self.error(path, "'\(key)' cannot be written as YAML: \(error)") }
    }

    /// Reads a text as if it stood at `place`, and holds it against the scenario.
    private func check(
        _ text: String, _ place: String, _ scenario: Scenario, _ path: String
    ) throws(ScenarioError) {
        var wanted = scenario
        let given = try ScenarioLoader.load(text: text, path: place, variables: variables)
        wanted.points.sort { $0.name < $1.name }
        for (name, isAlike) in [
            ("topology", wanted.topology == given.topology), ("steps", wanted.steps == given.steps),
            ("points", wanted.points == given.points), ("faults", wanted.faults == given.faults),
            ("expect", wanted.expect == given.expect), ("limits", wanted.limits == given.limits),
            ("files", wanted.files == given.files),
            ("known", wanted.known == given.known), ("finding", wanted.finding == given.finding),
        ] where !isAlike {
            throw Self.error(path, "its '\(name)' cannot be written so that it is read back as it is")
        }
    }

    // MARK: paths

    /// The relative way from one directory to another; empty when they are the same.
    static func way(from: String, to: String) -> String {
        let start = from.split(separator: "/")
        let end = to.split(separator: "/")
        let common = zip(start, end).prefix { $0 == $1 }.count
        let up = Array(repeating: "..", count: start.count - common)
        return (up + end.dropFirst(common).map(String.init)).joined(separator: "/")
    }

    private static func joined(_ way: String, _ name: String) -> String {
        var start = way.split(separator: "/").map(String.init)
        var rest = name.split(separator: "/").map(String.init)[...]
        while let first = rest.first, first == "." || (first == ".." && start.last.map { $0 != ".." } == true) {
            rest.removeFirst()
            if first == ".." { start.removeLast() }
        }
        return (start + rest).joined(separator: "/")
    }

    private static func error(_ path: String, _ message: String) -> ScenarioError {
        ScenarioError([Problem(path: path, line: 0, column: 0, message: message)])
    }
}
