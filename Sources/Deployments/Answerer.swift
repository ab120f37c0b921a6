import Foundation
import Glibc
import Platform

/// Whether who answers at the service's port is the service, with the release that is in the tree.
package struct Answerer {
    let tree: DeploymentTree
    /// When the release came into the tree, as `Processes.now()` counts; nil when that is not asked.
    let since: UInt64?
    private var configuration: Configuration { tree.configuration }

    package init(tree: DeploymentTree, since: UInt64?) {
        self.tree = tree
        self.since = since
    }

    private var port: Int { configuration.whole("API_PORT") }
    private var isAnyone: Bool { configuration["HEALTH_OWNER"] == "any" }
    private var saysVersion: Bool { !configuration["VERSION_ENDPOINT"].isEmpty }

    /// How it is known, for a report.
    var basis: String {
        let version = saysVersion ? ", and it says the version of VERSION_FILE" : ""
        if isAnyone { return "whose answer it is was not looked at, as HEALTH_OWNER is any\(version)" }
        return "the listener of port \(port) is the service's own, of this tree\(version)"
    }

    /// Why what listens is not the service's, or not of this release; nil when it is.
    package func trouble(_ state: ServiceState) -> String? {
        if isAnyone { return nil }
        let owner = PortOwner(port: port)
        guard let listeners = owner.listeners(), !listeners.isEmpty else {
            return
                "something answers at port \(port), but no process of this machine listens there that could be seen: where a proxy answers for the service, set HEALTH_OWNER=any"
        }
        let (found, isHidden) = PortOwner.holders(of: listeners, among: state.processes)
        guard listeners.allSatisfy({ found[$0.inode] != nil }) else {
            // Who may not see the service's own descriptors cannot tell, and says so.
            if isHidden {
                return
                    "whose answer at port \(port) it is cannot be told: user \(geteuid()) may not see what the service's processes have open; call this as root or as the service's user, or set HEALTH_OWNER=any"
            }
            return
                "what answers at port \(port) is not the service, but \(owner.described() ?? "somebody who is gone"): end it, or where it answers for the service, set HEALTH_OWNER=any"
        }
        for pid in Set(found.values.flatMap(\.self)).sorted() {
            if let trouble = trouble(of: pid, state) { return trouble }
        }
        return nil
    }

    private func trouble(of pid: Int32, _ state: ServiceState) -> String? {
        guard let row = Processes.row(pid) else { return "process \(pid), which listened at port \(port), is gone" }
        if let since, row.ticks < since {
            return
                "what answers at port \(port) is older than the release in the tree: \(Processes.described(pid)): it runs what was there before"
        }
        if saysVersion { return nil }
        // An orphan has the service's first process above it no more, and yet is of what that runs.
        var line = [pid] + Processes.ancestors(of: pid).filter { $0 != pid && state.processes.contains($0) }
        if let main = state.main, !line.contains(main) { line.append(main) }
        let origins = line.map { ProcessOrigin.of($0, tree) }
        for (pid, origin) in zip(line, origins) {
            if case .replaced(let place) = origin {
                return
                    "what answers at port \(port) runs from a directory that was replaced, '\(place)': \(Processes.described(pid))"
            }
        }
        if origins.contains(where: { $0 != .elsewhere }) { return nil }
        return
            "what answers at port \(port) shows no sign of being of the tree '\(tree.root)': neither program, arguments nor working directory of \(Processes.described(pid)) are in it; see the service's command, or let it say its version (VERSION_ENDPOINT, VERSION_FILE)"
    }

    /// Why the version that the service says is not that of the tree; nil when it is, or none is asked for.
    func versionTrouble() -> String? {
        guard saysVersion else { return nil }
        let path = configuration["VERSION_ENDPOINT"]
        let place = "http://127.0.0.1:\(port)\(path)"
        let file = configuration.path("VERSION_FILE") ?? ""
        guard let wanted = ProcFile.text(file)?.trimmingCharacters(in: .whitespacesAndNewlines), !wanted.isEmpty else {
            return "VERSION_FILE '\(file)' cannot be read, or is empty"
        }
        do {
            let answer = try HTTPProbe.get(
                port: port, path: path, nanoseconds: configuration.time("HEALTH_CHECK_TIMEOUT"))
            guard answer.status == 200 else { return "\(place) answered \(answer.status)" }
            let said = Self.version(in: answer.body, configuration["VERSION_PATTERN"])
            if said == wanted { return nil }
            let shown = said.map { "'\(Text.plain(String($0.prefix(100))))'" } ?? "nothing that VERSION_PATTERN matches"
            return
                "the service says at \(place) that it is \(shown), but '\(file)' says '\(Text.plain(String(wanted.prefix(100))))'"
        } catch { return "\(place): \(error)" }
    }

    /// What the answer says: the pattern's first group, or all that it matches; without a pattern the whole answer.
    package static func version(in answer: String, _ pattern: String) -> String? {
        // A version is a line; something vast is not searched for one.
        let body = String(answer.prefix(4096))
        guard !pattern.isEmpty, let regex = try? Regex(pattern) else {
            return body.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        guard let match = body.firstMatch(of: regex) else { return nil }
        let group = match.output.count > 1 ? match.output[1].substring : match.output[0].substring
        return group.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    }
}
