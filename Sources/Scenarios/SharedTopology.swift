import Foundation
import Yams

/// A topology with what scenarios inherit from its file: steps, expectations, limits. Written out in the scenario itself
/// it is a topology alone.
struct SharedTopology {
    var topology = Topology(processes: [])
    var body: (steps: [Step], expect: Expectations, limits: Limits, known: [KnownFinding]) = (
        [], Expectations(), Limits(), []
    )

    var files: HostFiles?

    private static let topologyKeys = ["processes", "children", "channels"]

    /// Reads the `topology` of a scenario; nil when there is not enough to go on with.
    init?(_ node: Node, _ reader: YAMLReader, given: [String: String]) {
        guard let members = reader.members(node, "a topology", keys: Self.topologyKeys + ["file", "with"]) else {
            return nil
        }
        var ours: [String: String] = [:]
        if let with = members["with"] {
            for (key, value) in reader.members(with, "'with'") ?? [:] {
                ours[key] = reader.text(value, "a variable")
                reader.names.insert(key)
            }
        }
        reader.variables.merge(ours) { given, _ in given }
        guard let fileNode = members["file"] else {
            topology = Self.topology(members, node, reader)
            return
        }
        guard let name = reader.text(fileNode, "a file name") else { return nil }
        let path = name.hasPrefix("/") ? name : "\(ScenarioLoader.directory(of: reader.path))/\(name)"
        let shared = YAMLReader(path: path, variables: given.merging(ours) { given, _ in given })
        shared.variables["here"] = ScenarioLoader.directory(of: path)
        do {
            let text = try ScenarioLoader.text(of: path)
            try readFile(ScenarioLoader.compose(text, path), shared)
        } catch {
            for problem in error.problems where problem.line == 0 {
                reader.report(fileNode, "'\(name)': \(problem.message)")
            }
            reader.adopt(error.problems.filter { $0.line > 0 })
            return nil
        }
        reader.adopt(shared.problems)
        reader.names.formUnion(shared.names)
        reader.variables.merge(shared.variables) { mine, _ in mine }
        if topology.processes.isEmpty { return nil }
    }

    private mutating func readFile(_ root: Node, _ reader: YAMLReader) throws(ScenarioError) {
        let keys = Self.topologyKeys + ["with", "steps", "expect", "limits", "files", "known", "summary"]
        guard let members = reader.members(root, "a topology's file", keys: keys) else { return }
        if let with = members["with"] {
            for (key, value) in reader.members(with, "'with'") ?? [:] {
                reader.names.insert(key)
                guard reader.variables[key] == nil else { continue }
                reader.variables[key] = reader.text(value, "a variable")
            }
        }
        topology = Self.topology(members, root, reader)
        var reading = BodyReader(reader: reader, topology: topology)
        if let node = members["steps"] { body.steps = reading.steps(node) }
        reading.stepRoles = Step.roles(of: body.steps).compactMap(\.self)
        if let node = members["expect"] { body.expect = reading.expectations(node, over: body.expect) }
        if let node = members["limits"] { body.limits = reading.limits(node, over: body.limits) }
        if let node = members["files"] { files = reading.files(node, over: nil) }
        if let node = members["known"] { body.known = reading.knownFindings(node) }
    }

    private static func topology(_ members: [String: Node], _ node: Node, _ reader: YAMLReader) -> Topology {
        let processes = reader.entries(members["processes"]).flatMap { Self.processes($0, reader) }
        if processes.isEmpty { reader.report(members["processes"] ?? node, "a topology needs at least one process") }
        var topology = Topology(processes: processes)
        topology.children = reader.entries(members["children"]).compactMap { child($0, reader) }
        for (name, value) in members["channels"].flatMap({ reader.members($0, "'channels'") }) ?? [:] {
            guard let channel = channel(name, value, reader) else { continue }
            topology.channels.append(channel)
        }
        topology.channels.sort { $0.name < $1.name }
        checkReadiness(topology, members["processes"] ?? node, reader)
        return topology
    }

    private static func processes(_ node: Node, _ reader: YAMLReader) -> [Topology.Process] {
        let keys = ["role", "count", "command", "env", "directory", "ready", "warm"]
        guard let members = reader.members(node, "a process", keys: keys) else { return [] }
        guard let name = reader.text(members["role"], "a role"), let pattern = RolePattern(parsing: name),
            pattern.segments.count == 1, pattern.segments[0].index == nil
        else {
            reader.report(members["role"] ?? node, "a process needs a 'role': a name of letters, digits, '-' and '_'")
            return []
        }
        let count = reader.integer(members["count"], "a count", atLeast: 1) ?? 1
        guard count <= 256 else {
            reader.report(members["count"], "at most 256 processes of a role")
            return []
        }
        return (0..<count).map { index in
            reader.variables["index"] = String(index)
            defer { reader.variables["index"] = nil }
            let command = reader.entries(members["command"]).compactMap { reader.text($0, "a command's word") }
            if command.isEmpty || command[0].isEmpty {
                reader.report(members["command"] ?? node, "a process needs a 'command': a list of words")
            }
            return Topology.Process(
                role: Role(name, index), command: command.isEmpty ? [""] : command,
                environment: environment(members["env"], reader),
                directory: reader.text(members["directory"], "a directory"),
                ready: members["ready"].flatMap { ready($0, reader) },
                warm: members["warm"].flatMap { warm($0, command, reader) })
        }
    }

    private static func warm(_ node: Node, _ command: [String], _ reader: YAMLReader) -> Topology.Warm? {
        guard let members = reader.members(node, "'warm'", keys: ["import", "path"]) else { return nil }
        let modules = reader.entries(members["import"]).compactMap { reader.text($0, "a module's name") }
        if modules.isEmpty { reader.report(node, "'warm' needs 'import': a list of modules") }
        for module in modules where module.isEmpty || module.contains(where: { ";/: ".contains($0) }) {
            reader.report(members["import"], "'\(module)' is no name of a module")
        }
        let path = reader.entries(members["path"]).compactMap { reader.text($0, "a directory") }
        for directory in path where !directory.hasPrefix("/") || directory.contains(":") {
            reader.report(members["path"], "'\(directory)' must be an absolute path without ':'")
        }
        let isScript = command.count > 1 && !command[1].hasPrefix("-")
        if !isScript || command[0].split(separator: "/").last?.hasPrefix("python") != true {
            reader.report(node, "'warm' needs a command that is a Python interpreter, its script, and arguments")
        }
        return Topology.Warm(modules: modules, path: path)
    }

    static func environment(_ node: Node?, _ reader: YAMLReader) -> [String: String] {
        guard let node, let members = reader.members(node, "'env'") else { return [:] }
        var environment: [String: String] = [:]
        for (key, value) in members {
            if key.isEmpty || key.contains("=") { reader.report(value, "'\(key)' cannot name a variable") }
            environment[key] = reader.text(value, "a variable")
        }
        return environment
    }

    private static func ready(_ node: Node, _ reader: YAMLReader) -> Topology.Ready? {
        if node.scalar != nil {
            return reader.parsed(node, "a readiness ('exit', {log: …}, {port: …} or {socket: …})") {
                $0 == "exit" ? .exit : nil
            }
        }
        guard let members = reader.members(node, "'ready'", keys: ["log", "roles", "port", "socket"]) else {
            return nil
        }
        let named = ["log", "port", "socket"].filter { members[$0] != nil }
        guard named.count == 1, members["roles"] == nil || named == ["log"] else {
            reader.report(
                node, "'ready' is one of {log: pattern}, {log: pattern, roles: …}, {port: number}, {socket: path}")
            return nil
        }
        if let port = members["port"] { return reader.port(port).map { .port($0) } }
        if let socket = members["socket"] { return reader.socketPath(socket).map { .socket($0) } }
        let roles = members["roles"].flatMap { reader.parsed($0, "a role", RolePattern.init(parsing:)) }
        return reader.pattern(members["log"], "a readiness pattern").map { .log($0, roles: roles) }
    }

    /// The roles that a readiness names must be ones that the topology has.
    private static func checkReadiness(_ topology: Topology, _ node: Node, _ reader: YAMLReader) {
        let names = Set(topology.processes.compactMap(\.role.segments.last?.name) + topology.children.map(\.name))
        for case .log(_, let roles?)? in topology.processes.map(\.ready) {
            guard let name = roles.segments.last?.name, !names.contains(name) else { continue }
            let advice = Suggestion.text(for: name, among: names)
            reader.report(node, "'ready' names the role '\(roles)', which no process of the topology can have\(advice)")
        }
    }

    private static func child(_ node: Node, _ reader: YAMLReader) -> Topology.Child? {
        let keys = ["role", "of", "start", "command", "count"]
        guard let members = reader.members(node, "a child", keys: keys) else { return nil }
        guard let name = reader.text(members["role"], "a role"),
            let parent = reader.parsed(members["of"], "a role", RolePattern.init(parsing:))
        else {
            reader.report(node, "a child needs 'role' (its name) and 'of' (whose child it is)")
            return nil
        }
        let starts = Topology.Start.allCases.map(\.rawValue)
        return Topology.Child(
            name: name, parent: parent,
            start: reader.parsed(members["start"], "a way to start", Topology.Start.init(rawValue:), among: starts)
                ?? .any,
            command: reader.pattern(members["command"], "a command pattern"),
            count: reader.integer(members["count"], "a count"))
    }

    private static func channel(_ name: String, _ node: Node, _ reader: YAMLReader) -> Topology.Channel? {
        guard let members = reader.members(node, "a channel", keys: ["writer", "reader", "index"]) else { return nil }
        guard let writer = reader.parsed(members["writer"], "a role", RolePattern.init(parsing:)),
            let receiver = reader.parsed(members["reader"], "a role", RolePattern.init(parsing:))
        else {
            reader.report(node, "a channel needs 'writer' and 'reader'")
            return nil
        }
        return Topology.Channel(
            name: name, writer: writer, reader: receiver, index: reader.integer(members["index"], "an index"))
    }
}
