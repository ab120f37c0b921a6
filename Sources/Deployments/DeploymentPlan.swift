import Platform

/// The dry run: says exactly what would be done, and writes nothing at all.
extension Deployer {
    func plan() throws(DeploymentError) -> OperationReport {
        let operation = try Operation(tree, name: "deploy", logName: nil, caller: caller, testing: isTesting)
        var lines: [String] = []
        let unfinished = Unfinished.find(tree)
        if let unfinished {
            caller.say(Text.plain(unfinished.text))
            switch unfinished {
            case .brokenOff(let journal):
                let way = journal.phase == .accepted ? "complete" : "undo"
                lines.append(
                    "\(way) the unfinished \(journal.operation) of \(journal.id) first; the rest is said of the tree as it is now, before that"
                )
            case .leftovers: lines.append("remove what an operation that was broken off left beside the tree first")
            case .atWork, .unreadable: break
            }
        }
        operation.checks = Preflight(tree: tree, manager: operation.manager).run(
            options.backupOnly ? .backup(release) : .change(release), writing: false)
        for check in operation.checks where check.outcome == .warning {
            caller.warn("warning: \(check.name): \(Text.plain(check.detail))")
        }
        let failed = operation.checks.filter { $0.outcome == .failed }.map { "\($0.name): \($0.detail)" }
        if case .unreadable(let error) = unfinished { throw DeploymentError(.unsettled, error.description) }
        guard failed.isEmpty else {
            throw DeploymentError(
                .environment,
                (["a deployment would fail now, before it changes anything:"] + failed).joined(separator: "\n"))
        }
        let (present, outcome) = options.backupOnly ? (try planBackup(&lines), nil) : try planChange(operation, &lines)
        for line in lines { caller.say(Text.plain("would \(line)")) }
        var report = operation.report("planned")
        report.plan = lines
        report.unfinished = unfinished?.text
        report.hashBefore = Scan.treeHash(present)
        report.hashAfter = report.hashBefore
        report.from?.hash = report.hashBefore
        report.to = outcome ?? report.from
        report.isUnchanged = false
        report.changed = unfinished != nil || options.backupOnly || outcome != nil
        if case .brokenOff = unfinished { report.release = "unsettled" } else { report.release = "old" }
        return report
    }

    private func backupLine(_ units: [String], _ present: [Entry]) -> String {
        "back up \(units.joined(separator: ", ")) (\(present.count) entries) to \(tree.backups)/<time>"
    }

    private func planBackup(_ lines: inout [String]) throws(DeploymentError) -> [Entry] {
        let units = try backupInventory().units
        let present = try Scan.entries(of: tree.root, units: units)
        lines.append(backupLine(units, present))
        return present
    }

    /// - Returns: what is there, and the release there would be; nil when nothing would be done.
    private func planChange(
        _ operation: Operation, _ lines: inout [String]
    ) throws(DeploymentError) -> ([Entry], ReleaseInTree?) {
        let (units, entries, absent, present) = try inventory()
        _ = try verifySignature(operation, entries, absent)
        let hash = Scan.treeHash(present)
        if !options.force, Standing.isPresent(entries, in: present), Standing(operation: operation).holds(hash) {
            lines.append("do nothing: the release '\(release)' is in the tree already and serves")
            return (present, nil)
        }
        let known = Dictionary(present.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        lines.append(backupLine(units, present))
        lines += steps(names: units.joined(separator: ", "), operation)
        let added = Set(absent)
        for entry in entries {
            if added.contains(entry.path) {
                lines.append(
                    "add \(entry.path) (\(entry.kind.rawValue), \(String(entry.mode, radix: 8)), \(entry.size) bytes)")
            } else if let there = known[entry.path], there.sha256 != entry.sha256 || there.mode != entry.mode {
                lines.append("change \(entry.path) (\(there.size) to \(entry.size) bytes)")
            }
        }
        let merged = try? TreeChange.merge([present, entries])
        return (present, ReleaseInTree(release: release, hash: merged.map(Scan.treeHash)))
    }

    private func steps(names: String, _ operation: Operation) -> [String] {
        let configuration = tree.configuration
        let late = configuration.flag("FORCE_STOP") ? "kill what is left then" : "fail when it has not stopped then"
        var lines = [
            "stage \(names) with \(release) laid over it in \(tree.staging)",
            "stop the service by \(operation.manager.name), within \(configuration["SERVICE_STOP_TIMEOUT"]) s; \(late)",
            "exchange \(names) for what was staged",
        ]
        for (key, isOn) in [("INSTALL_COMMAND", true), ("TEST_COMMAND", !skipsTests)] where isOn {
            let words = configuration.words(key)
            if !words.isEmpty { lines.append("run \(words.joined(separator: " "))") }
        }
        if configuration.whole("SERVICE_RESTART_DELAY") > 0 {
            lines.append("wait \(configuration["SERVICE_RESTART_DELAY"]) s")
        }
        return lines + [
            "start the service and ask http://127.0.0.1:\(configuration["API_PORT"])\(configuration["HEALTH_ENDPOINT"]) for its health, which must last \(configuration["HEALTH_SOAK"]) s"
        ]
    }
}
