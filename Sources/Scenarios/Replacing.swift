import Foundation

extension Scenario {
    /// The scenario with one path in the place of another, wherever it stands for a whole path or its beginning: how a stored
    /// scenario, whose variables were replaced long ago, is put to another target or interpreter. A name without a `/` is a
    /// program's, and replaced only where a command begins with it.
    /// - Returns: nil when it stands nowhere.
    public func replacing(_ old: String, with new: String) -> Scenario? {
        var scenario = self
        if old.contains("/") {
            let replacing = PathReplacing(old: old, new: new)
            scenario.topology = replacing.in(topology)
            scenario.steps = replacing.in(steps)
            scenario.faults = replacing.in(faults)
            scenario.points = replacing.in(points)
            scenario.expect = replacing.in(expect)
        } else {
            for index in scenario.topology.processes.indices where topology.processes[index].command.first == old {
                scenario.topology.processes[index].command[0] = new
            }
            for index in steps.indices {
                guard case .run(var command, let environment) = steps[index].action, command.first == old else {
                    continue
                }
                command[0] = new
                scenario.steps[index].action = .run(command: command, environment: environment)
            }
        }
        return scenario == self && old != new ? nil : scenario
    }
}

/// Replaces a path in every text of a value.
private struct PathReplacing {
    let old: String
    let new: String

    func `in`<Value: Codable>(_ value: Value) -> Value {
        // As an element of a list, for a value of its own may be no object.
        guard let data = try? JSONEncoder().encode([value]),
            let tree = try? JSONSerialization.jsonObject(with: data),
            let changed = try? JSONSerialization.data(withJSONObject: replaced(tree)),
            let values = try? JSONDecoder().decode([Value].self, from: changed)
        else { return value }
        return values.first ?? value
    }

    private func replaced(_ tree: Any) -> Any {
        switch tree {
        case let text as String: replaced(in: text)
        case let list as [Any]: list.map(replaced)
        case let members as [String: Any]: members.mapValues(replaced)
        default: tree
        }
    }

    private func replaced(in text: String) -> String {
        var result = ""
        var rest = Substring(text)
        while let place = rest.firstRange(of: old) {
            result += rest[..<place.lowerBound]
            let isWhole = !isName(result.last) && !isName(rest[place.upperBound...].first)
            result += isWhole ? new : old
            rest = rest[place.upperBound...]
        }
        return result + rest
    }

    /// Whether a character goes on with a name, so that what stands beside it is only a part of one.
    private func isName(_ character: Character?) -> Bool {
        character.map { $0.isLetter || $0.isNumber || "._-".contains($0) } ?? false
    }
}
