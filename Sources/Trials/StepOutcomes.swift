import Evidence
import Gate
import Platform
import Scenarios
import Topologies

/// Something that a step waits for and that has not come.
struct Missing {
    /// What findings call it: `/ready/`.
    let name: String
    /// For people, as what has not happened yet: `it printed /ready/`.
    let what: String
    /// Whose it is to give, as far as there are such.
    var owners: [TrackedProcess] = []
    /// Whether it says something of the target, and not only of where the scenario's faults and points are.
    var isOfTarget = true

    static func line(_ pattern: String, of owners: [TrackedProcess]) -> Missing {
        Missing(name: "/\(pattern)/", what: "it printed /\(pattern)/", owners: owners)
    }
    static func port(_ port: Int, of owners: [TrackedProcess]) -> Missing {
        Missing(name: "port \(port)", what: "it listened on port \(port)", owners: owners)
    }
    static func socket(_ path: String, of owners: [TrackedProcess]) -> Missing {
        Missing(name: "socket \(path)", what: "it listened at \(path)", owners: owners)
    }
    static func start(of owners: [TrackedProcess]) -> Missing {
        Missing(name: "its start", what: "it ran", owners: owners)
    }
    static func end(of owner: TrackedProcess) -> Missing {
        Missing(name: "its end", what: "it had done its work", owners: [owner])
    }
}

/// Whether what a step waits for has come.
extension TrialLoop {
    func outcome(of progress: StepProgress) -> StepOutcome {
        let step = plan.scenario.steps[progress.index]
        if plan.scenario.waitsForListener(step), !listenerWatch.isDue(Clock.now(), calls: gate.listened) {
            return .pending
        }
        switch step.action {
        case .start: return startOutcome(progress)
        case .signal: return .done(nil)
        case .stop(let roles, _):
            return gate.table.live(roles).isEmpty ? .done(nil) : .pending
        case .run:
            return commandOutcome(progress) { process in
                process.exitCode == 0 || process.reapedStatus == 0
                    ? .done(nil) : .failed(wrongEnd(of: process, ", not with exit 0"))
            }
        case .deployment(let deployment):
            return commandOutcome(progress) { process in
                let role = process.role?.description ?? "the command"
                guard let status = status(of: process) else { return .failed("how \(role) ended is not known") }
                if deployment.expected.contains(status) { return .done(deployment.says(status)) }
                let expected = deployment.expected.map(deployment.says).joined(separator: " or ")
                return .failed("\(role) ended with \(deployment.says(status)), expected was \(expected)")
            }
        case .wait(.reached(let name)):
            if gate.reachedNames.contains(name) { return .done(nil) }
            return isAnythingLeft ? .pending : .failed("everything had ended before '\(name)' came")
        case .wait(.exit(let roles)):
            let expected = expectedRoles(roles)
            return !expected.isEmpty && expected.allSatisfy { ended($0) != nil } ? .done(nil) : .pending
        case .wait(.log(let roles, _, _)):
            if expectedRoles(roles).isEmpty { return .failed("no process can match '\(roles)'") }
            return missing(progress).map { waitFor($0) } ?? .done(nil)
        case .wait(.port), .wait(.socket): return missing(progress).map { waitFor($0) } ?? .done(nil)
        }
    }

    /// Whether a process has ended, and what it has made that has no role of its own: that speaks for it, as a daemon's second child does.
    private func hasEndedWithItsOwn(_ process: TrackedProcess) -> Bool {
        guard process.hasExited else { return false }
        return !gate.table.all.contains { other in
            !other.hasExited && other.role == nil && gate.table.nearestRole(of: other) == process.role
        }
    }

    private func commandOutcome(_ progress: StepProgress, _ judge: (TrackedProcess) -> StepOutcome) -> StepOutcome {
        guard let role = progress.command else { return .failed("the command was never started") }
        if let reason = startFailure(of: role) { return .failed(reason) }
        return ended(role).map(judge) ?? .pending
    }

    /// What has not come yet goes on being waited for as long as one lives that is to give it.
    private func waitFor(_ missing: Missing) -> StepOutcome {
        if let last = missing.owners.last, missing.owners.allSatisfy(hasEndedWithItsOwn) {
            return .endedBefore(missing, last)
        }
        return missing.owners.isEmpty && !isAnythingLeft
            ? .failed("everything had ended before \(missing.what)") : .pending
    }

    private func startOutcome(_ progress: StepProgress) -> StepOutcome {
        guard case .start(let roles, _) = plan.scenario.steps[progress.index].action else { return .done(nil) }
        for process in plan.scenario.topology.processes where roles?.matches(process.role) ?? true {
            if let reason = startFailure(of: process.role) { return .failed("\(process.role): \(reason)") }
            if process.ready == .exit, let end = started(process.role, progress), end.hasExited, end.reapedStatus != 0 {
                return .endedBefore(.end(of: end), end)
            }
        }
        return missing(progress).map { waitFor($0) } ?? .done(nil)
    }

    /// The first thing that a step waits for and that has not come; nil for none, and for a step that waits for other things.
    func missing(_ progress: StepProgress) -> Missing? {
        switch plan.scenario.steps[progress.index].action {
        case .start(let roles, let ready):
            for process in plan.scenario.topology.processes where roles?.matches(process.role) ?? true {
                if let missing = missing(of: process, progress, waitForReady: ready) { return missing }
            }
            return nil
        case .wait(.log(let roles, let pattern, let count)):
            let silent = expectedRoles(roles).filter { lines.count(of: pattern, role: $0) < count }
            // Who was killed prints nothing any more: the others are waited for, if there are any.
            let alive = silent.filter { latest($0)?.isKilledByFault != true }
            let isAnyLeft = silent.count < expectedRoles(roles).count || !alive.isEmpty
            guard let role = alive.first ?? (isAnyLeft ? nil : silent.first) else { return nil }
            return .line(pattern, of: latest(role).map { [$0] } ?? [])
        case .wait(.port(let port, let roles)):
            return listens(observation?.listeners().filter { $0.port == port }.map(\.inode), roles)
                ? nil : .port(port, of: roles.map(gate.table.all) ?? [])
        case .wait(.socket(let path, let roles)):
            return listens(observation?.sockets(at: path), roles)
                ? nil : .socket(path, of: roles.map(gate.table.all) ?? [])
        case .wait(.reached(let name)):
            return gate.reachedNames.contains(name)
                ? nil : Missing(name: "'\(name)'", what: "'\(name)' came", isOfTarget: false)
        case .wait(.exit), .signal, .stop, .run, .deployment: return nil
        }
    }

    private func missing(
        of process: Topology.Process, _ progress: StepProgress, waitForReady: Bool
    ) -> Missing? {
        guard let started = started(process.role, progress), started.runs || started.hasExited else {
            return .start(of: started(process.role, progress).map { [$0] } ?? [])
        }
        guard waitForReady else { return nil }
        let roles = RolePattern(process.role)
        switch process.ready {
        case nil: return nil
        case .exit: return started.hasExited ? nil : .end(of: started)
        case .log(let pattern, nil):
            let before = progress.linesBefore[process.role] ?? 0
            return lines.count(of: pattern, role: process.role) > before ? nil : .line(pattern, of: [started])
        case .log(let pattern, let below?):
            let all = expectedRoles(below).filter { $0 == process.role || $0.ancestors.contains(process.role) }
            let expected = all.filter { latest($0)?.isKilledByFault != true }
            let silent = expected.first { lines.count(of: pattern, role: $0) == 0 }
            if let silent { return .line(pattern, of: [latest(silent) ?? started]) }
            return expected.isEmpty ? .line(pattern, of: [started]) : nil
        case .port(let port):
            return listens(observation?.listeners().filter { $0.port == port }.map(\.inode), roles)
                ? nil : .port(port, of: [started])
        case .socket(let path):
            return listens(observation?.sockets(at: path), roles) ? nil : .socket(path, of: [started])
        }
    }

    /// Whether a live process of these roles, or one below it, has one of these sockets.
    private func listens(_ inodes: [UInt32]?, _ roles: RolePattern?) -> Bool {
        guard let inodes, !inodes.isEmpty else { return false }
        guard let roles else { return true }
        let links = Set(inodes.map { "socket:[\($0)]" })
        return gate.table.all.contains { process in
            guard !process.hasExited, let role = gate.table.nearestRole(of: process),
                ([role] + role.ancestors).contains(where: roles.matches)
            else { return false }
            return !links.isDisjoint(with: process.descriptors().values)
        }
    }

    /// The roles a pattern can mean in this topology: those there must be, whether or not they have come to life yet.
    func expectedRoles(_ pattern: RolePattern) -> [Role] {
        var roles = plan.scenario.topology.processes.map(\.role)
        for rule in plan.scenario.topology.children {
            let parents = roles.filter(rule.parent.matches)
            roles += parents.flatMap { parent in (0..<(rule.count ?? 0)).map { parent.child(rule.name, $0) } }
        }
        let seen = gate.table.all.compactMap(\.role)
        return Set(roles + seen).filter(pattern.matches).sorted { $0.description < $1.description }
    }

    /// Whether anything lives, or is about to, that could still do something.
    private var isAnythingLeft: Bool { isStarting || gate.table.all.contains { !$0.hasExited } }

    /// The process of a role: the last that was started, should it have been started again.
    private func latest(_ role: Role) -> TrackedProcess? { gate.table.all.last { $0.role == role } }

    private func started(_ role: Role, _ progress: StepProgress) -> TrackedProcess? {
        gate.table.all[progress.processesBefore...].last { $0.role == role }
    }

    private func ended(_ role: Role) -> TrackedProcess? { latest(role).flatMap { $0.hasExited ? $0 : nil } }
}
