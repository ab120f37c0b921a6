import Glibc
import Platform

/// Sees to it that the service's port is free before its service starts: what the old service left there is ended, and who else
/// has it is named.
struct PortGuard {
    let tree: DeploymentTree
    let manager: any ServiceManager
    private var owner: PortOwner { PortOwner(port: tree.configuration.whole("API_PORT")) }

    /// Who listens although nothing of the service is there any more.
    private enum Left {
        /// Runs from the tree, so an earlier start of the service has left it.
        case ours([Int32])
        case strangers(String)
    }

    /// Waits until nobody listens at the port; what runs from the tree is asked to end, and killed when the time is over.
    /// To be called only while the service does not run.
    /// - Parameter deadline: on the monotonic clock, in nanoseconds.
    /// - Parameter force: whether what is left of the service then is killed; otherwise that is an error.
    /// - Returns: what was ended; nil when there was nothing to do.
    /// - Throws: `DeploymentError` when somebody still listens, with who that is.
    @discardableResult
    func clear(deadline: Int64, force: Bool, isStopped: () -> Bool = { false }) throws(DeploymentError) -> String? {
        var ended: [Int32: String] = [:]
        var pause: Int64 = 5_000_000
        while let left = try look() {
            let isLate = Clock.now() >= deadline
            var handles: [Descriptor] = []
            switch left {
            case .ours(let pids):
                for pid in pids {
                    if isLate, !force {
                        throw DeploymentError(
                            .service,
                            "\(text(Processes.described(pid))); it is of this tree and did not end by SIGTERM: raise SERVICE_STOP_TIMEOUT, or set FORCE_STOP=true"
                        )
                    }
                    guard let handle = end(pid, with: isLate ? SIGKILL : ended[pid] == nil ? SIGTERM : 0) else {
                        continue
                    }
                    if ended[pid] == nil { ended[pid] = Processes.described(pid) }
                    handles.append(handle.descriptor)
                }
                guard Clock.now() < deadline + 5_000_000_000 else {
                    throw DeploymentError(.service, "\(text(owner.described() ?? "")); it cannot be killed")
                }
            case .strangers(let who):
                if isLate {
                    throw DeploymentError(
                        .service,
                        "\(text(who)), which is not known to be of this service: end it, or give the service another API_PORT"
                    )
                }
            }
            if isStopped() { throw DeploymentError(.interrupted, "interrupted while its port was not free") }
            let next = Clock.now() + pause
            pause = min(pause * 2, 100_000_000)
            if handles.isEmpty {
                usleep(UInt32(max(0, next - Clock.now()) / 1000))
            } else {
                _ = Wait.forInput(handles, until: next)
            }
        }
        return ended.isEmpty
            ? nil : "ended what the service left at its port: \(ended.values.sorted().joined(separator: "; "))"
    }

    /// Who keeps the service from its port without being of it; nil when nobody does.
    func stranger() -> String? {
        guard case .strangers(let who)? = try? look() else { return nil }
        return text(who)
    }

    private func text(_ who: String) -> String { "port \(tree.configuration["API_PORT"]) is held by \(who)" }

    /// What it is: the handle first, then another look, so that no other process can be meant.
    private func end(_ pid: Int32, with signal: Int32) -> ProcessHandle? {
        guard let handle = try? ProcessHandle(pid: pid), isLeft(pid) else { return nil }
        if signal != 0 { try? handle.send(signal) }
        return handle
    }

    private func isLeft(_ pid: Int32) -> Bool {
        // Whoever called this is no remains of a service, wherever it runs from.
        guard pid > 1, !Processes.ancestors(of: getpid()).contains(pid) else { return false }
        switch ProcessOrigin.of(pid, tree) {
        case .tree, .replaced: return true
        case .directory, .elsewhere: return false
        }
    }

    private func look() throws(DeploymentError) -> Left? {
        // Where something else listens in the service's name, it does so all the time.
        guard tree.configuration["HEALTH_OWNER"] == "service" else { return nil }
        let (pids, listeners, isHidden) = owner.owners()
        if listeners.isEmpty { return nil }
        let known = Set(try manager.state().processes)
        let others = pids.filter { !known.contains($0) }
        // What systemd itself holds is the service's socket, kept open for it. Who may not see who it is must not connect either.
        if pids.contains(1) || (others.isEmpty && !isHidden) { return nil }
        if isHidden, manager is Systemd { return nil }
        guard isHidden || owner.isTaken() else { return nil }
        let ours = others.filter(isLeft)
        if !ours.isEmpty { return .ours(ours) }
        return owner.described().map { .strangers($0) }
    }
}
