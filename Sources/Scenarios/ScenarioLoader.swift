import Foundation
import Yams

/// Makes scenarios from YAML files. docs/SCENARIOS.md is the reference of their form.
public enum ScenarioLoader {
    private static let largestFile = 1 << 20

    /// Loads a scenario.
    /// - Parameters:
    ///   - path: the file; its name without the extension is the scenario's.
    ///   - variables: what `${…}` stands for besides what the files define; these win.
    ///   - lacking: what this host cannot give, and why: a fault that needs it is a problem of the file.
    /// - Throws: `ScenarioError` with everything that is wrong, each with file and line.
    public static func load(
        path: String, variables: [String: String], lacking: [HostNeed: String] = [:]
    ) throws(ScenarioError) -> Scenario {
        var scenario = try load(text: try text(of: path), path: path, variables: variables, lacking: lacking)
        scenario.source = URL(fileURLWithPath: path).standardizedFileURL.path
        return scenario
    }

    /// Loads a scenario from a text; `path` is what messages call it, and where it finds the files it names.
    public static func load(
        text: String, path: String, variables: [String: String], lacking: [HostNeed: String] = [:]
    ) throws(ScenarioError) -> Scenario {
        let reader = YAMLReader(path: path, variables: variables)
        reader.variables["here"] = directory(of: path)
        let scenario = read(try compose(text, path), reader, given: variables, path, lacking)
        guard let scenario, reader.problems.isEmpty else {
            throw ScenarioError(
                reader.problems.sorted { ($0.path, $0.line, $0.column) < ($1.path, $1.line, $1.column) })
        }
        return scenario
    }

    private static func read(
        _ root: Node, _ reader: YAMLReader, given variables: [String: String], _ path: String,
        _ lacking: [HostNeed: String]
    ) -> Scenario? {
        let keys = ["summary", "topology", "steps", "faults", "points", "expect", "limits", "known", "finding"]
        guard let members = reader.members(root, "a scenario", keys: keys) else { return nil }
        guard let topologyNode = members["topology"] else {
            reader.report(root, "a scenario needs a 'topology': either written out, or {file: …}")
            return nil
        }
        guard let shared = SharedTopology(topologyNode, reader, given: variables) else { return nil }
        var body = BodyReader(reader: reader, topology: shared.topology)
        let base = shared.body
        let steps = members["steps"].map { body.steps($0) } ?? base.steps
        body.stepRoles = Step.roles(of: steps).compactMap(\.self)
        let points = PointReader(body: body)
        let named = members["points"].map { points.named($0) } ?? []
        let faults = FaultReader(body: body, points: points, lacking: lacking).faults(members["faults"], steps: steps)
        let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
        if steps.isEmpty { reader.report(root, "a scenario needs 'steps', here or in its topology's file") }
        let names = faults.map(\.name) + named.map(\.name)
        for name in Set(names) where names.count(where: { $0 == name }) > 1 {
            reader.report(members["faults"] ?? members["points"], "two faults or points are named '\(name)'")
        }
        points.checkReferences(faults, named, steps, members["faults"] ?? root)
        body.checkNames(steps, names, members["steps"] ?? root)
        var scenario = Scenario(
            name: name, summary: reader.text(members["summary"], "the summary") ?? "", topology: shared.topology,
            steps: steps, faults: faults, points: named,
            expect: members["expect"].map { body.expectations($0, over: base.expect) } ?? base.expect,
            limits: members["limits"].map { body.limits($0, over: base.limits) } ?? base.limits)
        let known = base.known + (members["known"].map { body.knownFindings($0) } ?? [])
        scenario.known = known.isEmpty ? nil : known
        scenario.finding = reader.text(members["finding"], "a finding")
        // Last, for only now all has been read.
        scenario.variables = reader.used(given: variables)
        return scenario
    }

    /// A file's text.
    /// - Throws: `ScenarioError` when it cannot be read, is too large, or is not UTF-8.
    static func text(of path: String) throws(ScenarioError) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            let advice = FileManager.default.fileExists(atPath: path) ? "cannot be read" : "is not there"
            throw ScenarioError([Problem(path: path, line: 0, column: 0, message: "the file \(advice)")])
        }
        guard data.count <= largestFile, let text = String(data: data, encoding: .utf8) else {
            let reason = data.count > largestFile ? "is larger than 1 MiB" : "is not UTF-8 text"
            throw ScenarioError([Problem(path: path, line: 0, column: 0, message: "the file \(reason)")])
        }
        return text
    }

    /// The one document of a YAML text.
    static func compose(_ text: String, _ path: String) throws(ScenarioError) -> Node {
        // Aliases could make a small file huge, and the form has no use for them.
        let usesAlias = text.split(separator: "\n").contains { $0.firstMatch(of: /:\s+[&*][A-Za-z_]/) != nil }
        if usesAlias {
            throw ScenarioError([
                Problem(path: path, line: 0, column: 0, message: "YAML anchors and aliases are not supported")
            ])
        }
        do {
            guard let node = try Yams.compose(yaml: text) else {
                throw ScenarioError([Problem(path: path, line: 0, column: 0, message: "the file is empty")])
            }
            return node
        } catch let error as ScenarioError {
            throw error
        } catch let error as YamlError {
            throw ScenarioError([problem(error, path, text)])
        } catch {
            throw ScenarioError([Problem(path: path, line: 0, column: 0, message: "\(error)")])
        }
    }

    private static func problem(_ error: YamlError, _ path: String, _ text: String) -> Problem {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            Problem(path: path, line: mark.line, column: mark.column, message: "not valid YAML: \(problem)")
        case .duplicatedKeysInMapping(let keys, _):
            // Yams names the keys but not their places: the last line that begins with one is the repetition.
            Problem(
                path: path,
                line: 1
                    + (text.split(separator: "\n", omittingEmptySubsequences: false).lastIndex { line in
                        keys.contains { line.trimmed.hasPrefix("\($0):") || line.trimmed.hasPrefix("- \($0):") }
                    } ?? 0), column: 1, message: "the key '\(keys.first ?? "?")' stands twice")
        default: Problem(path: path, line: 0, column: 0, message: "not valid YAML: \(error)")
        }
    }

    static func directory(of path: String) -> String {
        URL(fileURLWithPath: path).deletingLastPathComponent().standardizedFileURL.path
    }
}
