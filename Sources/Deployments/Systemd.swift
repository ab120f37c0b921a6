import Foundation
import Platform

/// systemd, by `systemctl(1)` and `journalctl(1)`.
package struct Systemd: ServiceManager {
    let name = "systemd"
    private let unit: String
    private let tree: DeploymentTree

    init(_ tree: DeploymentTree) throws(DeploymentError) {
        self.tree = tree
        unit = tree.configuration["SERVICE_NAME"]
        guard unit.wholeMatch(of: /[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]*/) != nil else {
            throw DeploymentError(
                .configuration,
                "\(tree.configuration.source(of: "SERVICE_NAME")): SERVICE_NAME is '\(unit)', which is no unit's name")
        }
    }

    private func control(_ arguments: [String], seconds: Int64 = 30) throws(DeploymentError) -> CommandRunner.Result {
        try CommandRunner.run(
            ["systemctl"] + arguments + [unit], in: tree.root, deadline: Clock.now() + seconds * 1_000_000_000)
    }

    /// Whether there is a unit of this name.
    /// - Throws: `DeploymentError` when systemd does not say: then nobody knows who has the service.
    func knowsUnit() throws(DeploymentError) -> Bool {
        let result = try control(["show", "--no-pager", "-p", "LoadState"])
        let line = result.output.split(separator: "\n").first { $0.hasPrefix("LoadState=") }
        guard result.status == 0, let line else {
            throw DeploymentError(
                .service,
                "systemctl show \(unit): \(result.says): systemd does not say whether it has the service; call this as a user who may ask it, or give SERVICE_MANAGER=systemd or SERVICE_MANAGER=supervisor"
            )
        }
        return line != "LoadState=not-found"
    }

    func state() throws(DeploymentError) -> ServiceState {
        let result = try control(["show", "--no-pager", "-p", "ActiveState,MainPID,ControlGroup,LoadState,NRestarts"])
        let fields = Dictionary(
            result.output.split(separator: "\n").compactMap { line in
                line.firstIndex(of: "=").map { (String(line[..<$0]), String(line[line.index(after: $0)...])) }
            }, uniquingKeysWith: { first, _ in first })
        guard result.status == 0, let active = fields["ActiveState"], fields["LoadState"] != "not-found" else {
            throw DeploymentError(
                .service,
                "systemctl show \(unit): \(result.says); install the unit (deployment/systemd) and run systemctl daemon-reload"
            )
        }
        let main = fields["MainPID"].flatMap { Int32($0) } ?? 0
        let group = fields["ControlGroup"] ?? ""
        var all = group.isEmpty || group.contains("..") ? [] : processes(of: group)
        // Where the control groups cannot be seen there is still whose children they are.
        if all.isEmpty, main > 0 { all = [main] + Processes.descendants(of: [main], in: Processes.table()) }
        let runs = active == "active" || active == "reloading" || active == "activating"
        var state = ServiceState(
            main: runs && main > 0 ? main : nil, processes: all, restarts: fields["NRestarts"].flatMap { Int($0) } ?? 0)
        // Between a crash and its restart.
        state.isAwaited = active == "activating" && main == 0
        return state
    }

    private func processes(of group: String) -> [Int32] {
        for base in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"] {
            let found = Self.members("\(base)\(group)", depth: 8)
            if let found { return found }
        }
        return []
    }

    /// The processes of a control group and of those below it, which a service may make for its own; nil when there is no such
    /// group.
    package static func members(_ path: String, depth: Int) -> [Int32]? {
        guard let text = ProcFile.text("\(path)/cgroup.procs") else { return nil }
        var found = text.split(separator: "\n").compactMap { Int32($0) }
        guard depth > 0 else { return found }
        for name in (try? Files.entries(path)) ?? [] where (try? FileStatus("\(path)/\(name)"))?.kind == .directory {
            found += members("\(path)/\(name)", depth: depth - 1) ?? []
        }
        return found
    }

    func start() throws(DeploymentError) {
        // What failed before would otherwise count against the unit's start limit.
        _ = try control(["reset-failed"])
        let seconds = Int64(tree.configuration.whole("SERVICE_START_TIMEOUT"))
        let result = try control(["start"], seconds: seconds)
        guard result.status == 0 else {
            throw DeploymentError(.service, "systemctl start \(unit): \(result.says); see journalctl -u \(unit) -n 50")
        }
    }

    func stop(deadline: Int64, force: Bool) throws(DeploymentError) {
        let result = try CommandRunner.run(["systemctl", "stop", unit], in: tree.root, deadline: deadline)
        if result.status == 0 { return }
        guard force else {
            throw DeploymentError(
                .service,
                "systemctl stop \(unit): \(result.says); see journalctl -u \(unit) -n 50, raise SERVICE_STOP_TIMEOUT and the unit's TimeoutStopSec, or roll back with --emergency"
            )
        }
        try kill()
    }

    func kill() throws(DeploymentError) {
        // All of the unit's control group, and nothing else. Without processes there is nothing to kill, which is no failure.
        _ = try control(["kill", "--kill-whom=all", "--signal=SIGKILL"])
        let result = try control(["stop"])
        guard result.status == 0, try !state().isRunning else {
            throw DeploymentError(.service, "systemctl stop \(unit) after killing it: \(result.says)")
        }
    }

    func messages(since time: Int64) throws(DeploymentError) -> [String] {
        let result = try CommandRunner.run(
            ["journalctl", "-u", unit, "--since", "@\(time)", "-o", "cat", "--no-pager", "-q"], in: tree.root,
            deadline: Clock.now() + 30_000_000_000)
        guard result.status == 0 else {
            throw DeploymentError(
                .service, "journalctl -u \(unit): \(result.says); is this user in the group systemd-journal?")
        }
        return result.output.split(whereSeparator: \.isNewline).map(String.init)
    }
}
