import Yams

/// Turns a topology and what must hold into YAML, for a scenario of which there is no file any more.
extension ScenarioNodes {
    static func topology(_ topology: Topology) -> Node {
        var pairs = [("processes", sequence(processes(topology.processes)))]
        if !topology.children.isEmpty { pairs.append(("children", sequence(topology.children.map(child)))) }
        if !topology.channels.isEmpty {
            pairs.append(("channels", mapping(topology.channels.map { ($0.name, channel($0)) }, .block)))
        }
        return mapping(pairs, .block)
    }

    // MARK: processes

    private static func processes(_ processes: [Topology.Process]) -> [Node] {
        var nodes: [Node] = []
        for process in processes where process.role.segments.last?.index == 0 {
            guard let name = process.role.segments.last?.name else { continue }
            let alike = processes.filter { $0.role.segments.last?.name == name }
            var pairs = [("role", text(name))]
            if alike.count > 1 { pairs.append(("count", word("\(alike.count)"))) }
            pairs.append(("command", flow(words(alike.map(\.command)))))
            let environment = process.environment.keys.sorted().map { key in
                (key, word(numbered(alike.map { $0.environment[key] ?? "" })))
            }
            if !environment.isEmpty { pairs.append(("env", mapping(environment))) }
            if process.directory != nil {
                pairs.append(("directory", word(numbered(alike.map { $0.directory ?? "" }))))
            }
            switch process.ready {
            case .exit?: pairs.append(("ready", word("exit")))
            case .log?: pairs.append(("ready", mapping([("log", word(numbered(alike.map(log))))])))
            case nil: break
            }
            if let warm = process.warm {
                pairs.append(
                    ("warm", mapping([("import", flow(warm.modules.map(text))), ("path", flow(warm.path.map(text)))])))
            }
            nodes.append(mapping(pairs, .block))
        }
        return nodes
    }

    private static func log(_ process: Topology.Process) -> String {
        if case .log(let pattern)? = process.ready { pattern } else { "" }
    }

    private static func words(_ commands: [[String]]) -> [Node] {
        (commands.first ?? []).indices.map { place in
            word(numbered(commands.map { $0.indices.contains(place) ? $0[place] : "" }))
        }
    }

    /// One text for several that differ by the numbers of their processes only. Where they differ by more, what is read back is
    /// not what was written, and whoever writes is told.
    private static func numbered(_ texts: [String]) -> String {
        guard let first = texts.first else { return "" }
        let plain = first.replacing("${", with: "$${")
        guard texts.contains(where: { $0 != first }) else { return plain }
        let places = plain.indices.filter { plain[$0] == "0" }
        let one = places.map { place in plain[..<place] + "${index}" + plain[plain.index(after: place)...] }
        let all = plain.replacing("0", with: "${index}")
        return (one.map { String($0) } + [all]).first { template in
            texts.enumerated().allSatisfy { index, text in
                template.replacing("$${", with: "\u{0}").replacing("${index}", with: "\(index)")
                    .replacing("\u{0}", with: "${") == text
            }
        } ?? plain
    }

    private static func child(_ child: Topology.Child) -> Node {
        var pairs = [("role", text(child.name)), ("of", word(child.parent.description))]
        if child.start != .any { pairs.append(("start", word(child.start.rawValue))) }
        if let command = child.command { pairs.append(("command", text(command))) }
        if let count = child.count { pairs.append(("count", word("\(count)"))) }
        return mapping(pairs)
    }

    private static func channel(_ channel: Topology.Channel) -> Node {
        mapping(
            [("writer", word(channel.writer.description)), ("reader", word(channel.reader.description))]
                + (channel.index.map { [("index", word("\($0)"))] } ?? []))
    }

    // MARK: what must hold

    static func known(_ known: [KnownFinding]) -> Node {
        sequence(known.map { mapping([("signature", text($0.signature)), ("why", text($0.why))]) })
    }

    static func expectations(_ expect: Expectations) -> Node {
        var pairs: [(String, Node)] = []
        if !expect.forbidden.isEmpty {
            pairs.append(("forbid", mapping(expect.forbidden.map { ($0.name, text($0.pattern)) }, .block)))
        }
        if !expect.raises.isEmpty { pairs.append(("raises", flow(expect.raises.map(text)))) }
        if !expect.exits.isEmpty { pairs.append(("exits", sequence(expect.exits.map(exit)))) }
        if let phases = expect.phases {
            pairs.append(
                (
                    "phases",
                    mapping([
                        ("pattern", text(phases.pattern)), ("order", flow(phases.order.map(text))),
                        ("final", flow(phases.final.map(text))),
                    ])
                ))
        }
        if !expect.delivery.isEmpty {
            let rules = expect.delivery.map {
                mapping([("channel", text($0.channel)), ("receiver", word($0.receiver.description))])
            }
            pairs.append(("delivery", sequence(rules)))
        }
        let leaks = self.leaks(expect.leaks)
        if !leaks.isEmpty { pairs.append(("leaks", mapping(leaks))) }
        if let orphans = orphans(expect.orphansAllowed, expect.orphansAllowedOf) { pairs.append(("orphans", orphans)) }
        if expect.orphansMustNotice == true { pairs.append(("orphans", word("forbidden"))) }
        if !expect.whenKilled.isEmpty { pairs.append(("when-killed", sequence(expect.whenKilled.map(killed)))) }
        return mapping(pairs, pairs.isEmpty ? .flow : .block)
    }

    private static func exit(_ rule: Expectations.ExitRule) -> Node {
        let allowed = rule.allowed.map { status in
            switch status {
            case .code(let code): word("\(code)")
            case .signal(let signal): word(self.signal(signal))
            }
        }
        return mapping([("roles", word(rule.roles.description)), ("allow", flow(allowed))])
    }

    private static func leaks(_ leaks: Expectations.Leaks) -> [(String, Node)] {
        var pairs: [(String, Node)] = []
        if leaks.areSaid == true || !leaks.temporary.isEmpty { pairs.append(("tmp", flow(leaks.temporary.map(text)))) }
        if !leaks.sharedMemory.isEmpty { pairs.append(("shm", flow(leaks.sharedMemory.map(text)))) }
        if !leaks.ports.isEmpty { pairs.append(("ports", flow(leaks.ports.map { word("\($0)") }))) }
        if !leaks.descriptors.isEmpty {
            let rules = leaks.descriptors.map { rule in
                let most = rule.most.sorted { $0.key < $1.key }.map { ($0.key, word("\($0.value)")) }
                return mapping([("roles", word(rule.roles.description)), ("most", mapping(most))])
            }
            pairs.append(("descriptors", flow(rules)))
        }
        return pairs
    }

    private static func orphans(_ areAllowed: Bool, _ roles: [RolePattern]?) -> Node? {
        if areAllowed { return word("allowed") }
        return roles.map { mapping([("allowed", flow($0.map { word($0.description) }))]) }
    }

    private static func killed(_ rule: Expectations.WhenKilled) -> Node {
        var pairs = [("roles", word(rule.roles.description))]
        if !rule.exits.isEmpty { pairs.append(("exits", flow(rule.exits.map(exit)))) }
        let left = leaks(
            .init(sharedMemory: rule.sharedMemory, temporary: rule.temporary, ports: rule.ports ?? []))
        if !left.isEmpty { pairs.append(("leaks", mapping(left))) }
        if let orphans = orphans(rule.orphansAllowed == true, rule.orphans) { pairs.append(("orphans", orphans)) }
        if let forbidden = rule.forbidden { pairs.append(("forbid", flow(forbidden.map(text)))) }
        if let raises = rule.raises { pairs.append(("raises", flow(raises.map(text)))) }
        return mapping(pairs)
    }
}
