import Yams

/// Reads what must hold, and the limits, each over what a topology's file gave.
extension BodyReader {
    func expectations(_ node: Node, over base: Expectations) -> Expectations {
        let keys = ["forbid", "raises", "exits", "phases", "delivery", "leaks", "orphans", "when-killed"]
        guard let members = reader.members(node, "'expect'", keys: keys) else { return base }
        var expect = base
        if let forbid = members["forbid"], let texts = reader.members(forbid, "'forbid'") {
            expect.forbidden = texts.sorted { $0.key < $1.key }.compactMap { name, value in
                reader.pattern(value, "a forbidden text").map { .init(name: name, pattern: $0) }
            }
        }
        if let raises = members["raises"] {
            expect.raises = reader.entries(raises).compactMap { entry in
                reader.parsed(entry, "an exception's name, such as anyio.ClosedResourceError") { text in
                    let isName = text.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
                    return isName && text.first?.isLetter == true ? text : nil
                }
            }
        }
        if let exits = members["exits"] {
            // The scenario's own rules go before those of its topology, and the first that matches decides.
            expect.exits = reader.entries(exits).compactMap(exitRule) + base.exits
        }
        if let phases = members["phases"] { expect.phases = phaseOrder(phases) }
        if let delivery = members["delivery"] { expect.delivery = reader.entries(delivery).compactMap(deliveryRule) }
        if let leaks = members["leaks"] { expect.leaks = leakRules(leaks, over: base.leaks) }
        if let node = members["orphans"] {
            let orphans = orphanRule(node, words: ["allowed", "forbidden"])
            expect.orphansAllowed = orphans.areAllowed
            expect.orphansAllowedOf = orphans.of
            expect.orphansMustNotice = orphans.areAllowed || orphans.of != nil ? nil : true
        }
        if let killed = members["when-killed"] {
            expect.whenKilled = reader.entries(killed).compactMap { whenKilled($0, expect) } + base.whenKilled
        }
        return expect
    }

    /// Which processes may outlive the topology: one of some words, or `{allowed: roles}`.
    private func orphanRule(_ node: Node, words: [String]) -> (areAllowed: Bool, of: [RolePattern]?) {
        if let text = node.scalar?.string, words.contains(text) { return (text == "allowed", nil) }
        if node.mapping != nil, let members = reader.members(node, "'orphans'", keys: ["allowed"]) {
            let roles = reader.entries(members["allowed"]).compactMap { rolePattern($0) }
            if members["allowed"] == nil {
                reader.report(node, "'orphans' as a mapping needs 'allowed': the roles that may outlive the topology")
            }
            return (false, roles)
        }
        let all = words.map { "'orphans: \($0)'" }.joined(separator: ", ")
        reader.report(
            node,
            "'orphans' is \(all), or, for some roles only, 'orphans: {allowed: [worker]}', not '\(node.scalar?.string ?? "a list")'"
        )
        return (false, nil)
    }

    private func whenKilled(_ node: Node, _ expect: Expectations) -> Expectations.WhenKilled? {
        let keys = ["roles", "exits", "leaks", "orphans", "forbid", "raises"]
        guard let members = reader.members(node, "a rule for a killed process", keys: keys) else { return nil }
        guard let roles = rolePattern(members["roles"]) else {
            reader.report(node, "a rule for a killed process needs 'roles': whose end it takes")
            return nil
        }
        var rule = Expectations.WhenKilled(roles: roles)
        rule.exits = members["exits"].map { reader.entries($0).compactMap(exitRule) } ?? []
        if let node = members["leaks"] {
            let leaks = leakRules(node, over: Expectations.Leaks())
            if !leaks.descriptors.isEmpty {
                reader.report(
                    node, "a rule for a killed process can allow 'tmp', 'shm' and 'ports' to stay, nothing else")
            }
            (rule.sharedMemory, rule.temporary) = (leaks.sharedMemory, leaks.temporary)
            rule.ports = leaks.ports.isEmpty ? nil : leaks.ports
        }
        if let node = members["orphans"] {
            let orphans = orphanRule(node, words: ["allowed"])
            rule.orphansAllowed = orphans.areAllowed ? true : nil
            rule.orphans = orphans.of
        }
        rule.forbidden = members["forbid"].map { names($0, "a forbidden text", among: expect.forbidden.map(\.name)) }
        rule.raises = members["raises"].map { names($0, "a forbidden exception", among: expect.raises) }
        return rule
    }

    /// Names of what is forbidden otherwise.
    private func names(_ node: Node, _ what: String, among known: [String]) -> [String] {
        reader.entries(node).compactMap { reader.parsed($0, what, { known.contains($0) ? $0 : nil }, among: known) }
    }

    /// Findings that are set aside: patterns, or patterns with a reason.
    func knownFindings(_ node: Node) -> [KnownFinding] {
        reader.entries(node).compactMap { entry in
            if entry.scalar != nil {
                return reader.text(entry, "a finding").map { KnownFinding(signature: $0, why: "known") }
            }
            guard let members = reader.members(entry, "a known finding", keys: ["signature", "why"]) else { return nil }
            guard let signature = reader.text(members["signature"], "a finding") else {
                reader.report(entry, "a known finding needs 'signature': what reports call it, or a pattern on that")
                return nil
            }
            return KnownFinding(signature: signature, why: reader.text(members["why"], "a reason") ?? "known")
        }
    }

    private func exitRule(_ node: Node) -> Expectations.ExitRule? {
        guard let members = reader.members(node, "an exit rule", keys: ["roles", "allow"]),
            let roles = rolePattern(members["roles"])
        else { return nil }
        let allowed = reader.entries(members["allow"]).compactMap { entry in
            reader.parsed(entry, "an exit code or a signal") { text -> ExitStatus? in
                if let code = Int(text), (0...255).contains(code) { return .code(code) }
                return Signal(parsing: text).map { .signal($0) }
            }
        }
        return Expectations.ExitRule(roles: roles, allowed: allowed)
    }

    private func phaseOrder(_ node: Node) -> Expectations.PhaseOrder? {
        if node.scalar?.string == "none" { return nil }
        guard let members = reader.members(node, "'phases'", keys: ["pattern", "order", "final"]),
            let pattern = reader.pattern(members["pattern"], "a phase pattern")
        else { return nil }
        for group in ["subject", "phase"] where !pattern.contains("(?<\(group)>") {
            reader.report(members["pattern"], "the phase pattern needs a named group (?<\(group)>…)")
        }
        let order = reader.entries(members["order"]).compactMap { reader.text($0, "a phase") }
        if order.isEmpty { reader.report(node, "'phases' needs an 'order'") }
        let final = reader.entries(members["final"]).compactMap { reader.text($0, "a phase") }
        return Expectations.PhaseOrder(pattern: pattern, order: order, final: final)
    }

    private func deliveryRule(_ node: Node) -> Expectations.Delivery? {
        guard let members = reader.members(node, "a delivery rule", keys: ["channel", "receiver"]),
            let channel = reader.text(members["channel"], "a channel"), let receiver = rolePattern(members["receiver"])
        else {
            reader.report(node, "a delivery rule needs 'channel' and 'receiver'")
            return nil
        }
        return Expectations.Delivery(channel: channel, receiver: receiver)
    }

    private func leakRules(_ node: Node, over base: Expectations.Leaks) -> Expectations.Leaks {
        guard let members = reader.members(node, "'leaks'", keys: ["shm", "tmp", "ports", "descriptors"]) else {
            return base
        }
        var leaks = base
        if members["shm"] != nil || members["tmp"] != nil { leaks.areSaid = true }
        if let shm = members["shm"] {
            leaks.sharedMemory = reader.entries(shm).compactMap { reader.text($0, "a pattern") }
        }
        if let tmp = members["tmp"] {
            leaks.temporary = reader.entries(tmp).compactMap { reader.text($0, "a pattern") }
        }
        if let ports = members["ports"] {
            leaks.ports = reader.entries(ports).compactMap { reader.integer($0, "a port") }
        }
        if let descriptors = members["descriptors"] {
            leaks.descriptors = reader.entries(descriptors).compactMap(descriptorRule)
        }
        return leaks
    }

    private func descriptorRule(_ node: Node) -> Expectations.Descriptors? {
        guard let members = reader.members(node, "a descriptor rule", keys: ["roles", "most"]),
            let roles = rolePattern(members["roles"]),
            let most = members["most"].flatMap({ reader.members($0, "'most'") })
        else {
            reader.report(node, "a descriptor rule needs 'roles' and 'most'")
            return nil
        }
        return Expectations.Descriptors(roles: roles, most: most.compactMapValues { reader.integer($0, "a count") })
    }

    func limits(_ node: Node, over base: Limits) -> Limits {
        let keys = ["trial", "output", "records", "orphan-grace"]
        guard let members = reader.members(node, "'limits'", keys: keys) else { return base }
        var limits = base
        if let trial = reader.duration(members["trial"], "a limit") { limits.trial = trial }
        if let output = reader.parsed(members["output"], "a size such as 4MiB", YAMLReader.bytes) {
            limits.outputBytes = output
        }
        if let records = reader.integer(members["records"], "a limit", atLeast: 100) { limits.records = records }
        if let grace = reader.duration(members["orphan-grace"], "a limit") { limits.orphanGrace = grace }
        return limits
    }
}
