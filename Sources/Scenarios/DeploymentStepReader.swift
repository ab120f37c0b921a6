import Yams

/// Reads the steps that work on a deployed tree.
extension BodyReader {
    /// - Returns: nil when there is not enough to go on with; that is reported.
    func deployment(_ kind: DeploymentStep.Kind, _ node: Node) -> DeploymentStep? {
        let what = "'\(kind.rawValue)'"
        let keys = ["tree"] + kind.values + kind.flags + ["set", "expect"]
        guard let members = reader.members(node, what, keys: keys) else { return nil }
        guard let tree = place(members["tree"], "the tree") else {
            if members["tree"] == nil {
                reader.report(
                    node, "\(what) needs a 'tree': where the deployed tree is in the trial, such as /tmp/tree")
            }
            return nil
        }
        var step = DeploymentStep(kind: kind, program: reader.variables["fracas"] ?? "fracas", tree: tree)
        for key in kind.values {
            let value = key == "release" ? place(members[key], "the release") : reader.text(members[key], "'\(key)'")
            guard let value else { continue }
            if value.isEmpty || value.hasPrefix("-") {
                reader.report(members[key], "'\(key)' cannot be '\(value)': leave it out, or give a value")
            }
            step.values[key] = value
        }
        step.flags = kind.flags.filter { reader.boolean(members[$0], "'\($0)'") == true }
        if let settings = members["set"] {
            for (key, value) in reader.members(settings, "'set'") ?? [:] {
                if key.isEmpty || key.contains("=") { reader.report(value, "'\(key)' cannot name a setting") }
                step.settings[key] = reader.text(value, "a setting")
            }
        }
        if let node = members["expect"] { step.expected = endings(kind, node) }
        return step
    }

    /// A path in the trial.
    private func place(_ node: Node?, _ what: String) -> String? {
        guard let node, let path = reader.text(node, what) else { return nil }
        guard path.hasPrefix("/") else {
            reader.report(
                node, "\(what) must be given as a path from '/' on, not '\(path)': a trial has no directory of its own")
            return nil
        }
        return path
    }

    private func endings(_ kind: DeploymentStep.Kind, _ node: Node) -> [ExitStatus] {
        let words = kind.endings.map(\.word)
        let list = words.joined(separator: ", ")
        let found = reader.entries(node).compactMap { entry in
            reader.parsed(
                entry, "an end of '\(kind.rawValue)' (\(list), or an exit code)",
                { text -> ExitStatus? in
                    if let code = Int(text), (0...255).contains(code) { return .code(code) }
                    return kind.endings.first { $0.word == text }?.status
                }, among: words)
        }
        if reader.entries(node).isEmpty { reader.report(node, "'expect' needs at least one of \(list)") }
        return found
    }

    /// The roles that the steps of a list will start, for checks of what names them, before any is read.
    static func roles(ofSteps entries: [Node]) -> [Role] {
        var roles: [Role] = []
        for entry in entries {
            for kind in DeploymentStep.Kind.allCases where entry.mapping?[kind.rawValue] != nil {
                roles.append(Role(kind.role, roles.count { $0.general == kind.role }))
            }
        }
        return roles
    }
}
