import Platform

/// What an operator sees of a tree's backups.
public struct BackupList: Codable, Sendable {
    /// One of them.
    public struct Item: Codable, Sendable {
        /// Its name.
        public var id: String
        /// Whether it is whole.
        public var isGood: Bool
        /// Why it was made; for one that is not whole, what is wrong with it.
        public var note: String
        /// How many entries it has.
        public var entries: Int
        /// The hash over them.
        public var treeHash: String
        /// The software's version and commit then.
        public var version: String
    }

    /// The oldest first.
    public var backups: [Item]
    /// What came of an unfinished operation, if there was one.
    public var recovered: String?
    /// Whether the next command has to go on with it.
    public var isUnsettled = false

    /// Reads and verifies every backup, after settling what was left unfinished. Blocks the calling thread.
    public init(_ tree: DeploymentTree, caller: Caller) throws(DeploymentError) {
        if Recovery.isNeeded(tree) {
            let operation = try Operation(tree, name: "backups", logName: "recovery", caller: caller)
            let lock = try DeploymentLock(tree, for: "the settling of an unfinished operation")
            defer { withExtendedLifetime(lock) {} }
            if Journal.exists(tree) { Reserve(tree: tree).release() }
            let recovery = Recovery(tree: tree, manager: operation.manager, log: operation.log)
            let outcome = try recovery.run(evenWithoutService: false)
            isUnsettled = outcome?.trouble != nil
            recovered = outcome.map {
                "the tree is wholly the \($0.side == .after ? "new" : "old") release"
                    + ($0.trouble.map { "; the service does not run: \($0)" } ?? "")
            }
        }
        let store = BackupStore(tree: tree)
        backups = store.names().map { name in
            do {
                let manifest = try store.verified(at: store.path(of: name)).manifest
                let version = [manifest.softwareVersion, String(manifest.gitCommit.prefix(12))].filter { !$0.isEmpty }
                return Item(
                    id: name, isGood: true, note: manifest.kind.rawValue, entries: manifest.entries.count,
                    treeHash: manifest.treeHash, version: version.joined(separator: " "))
            } catch {
                return Item(id: name, isGood: false, note: "\(error)", entries: 0, treeHash: "", version: "")
            }
        }
    }
}

/// Starting and stopping the service as deployments do.
public struct Service: Sendable {
    private let tree: DeploymentTree
    private let caller: Caller

    /// The service of a tree.
    public init(_ tree: DeploymentTree, caller: Caller) {
        self.tree = tree
        self.caller = caller
    }

    /// Starts it and waits until it is healthy. Blocks the calling thread.
    public func start() throws(DeploymentError) {
        let operation = try Operation(tree, name: "service", logName: "service_control", caller: caller)
        let lock = try DeploymentLock(tree, for: "the start of the service")
        defer { withExtendedLifetime(lock) {} }
        _ = try Recovery(tree: tree, manager: operation.manager, log: operation.log).run(evenWithoutService: true)
        if try !operation.manager.state().isRunning {
            try PortGuard(tree: tree, manager: operation.manager).clear(
                deadline: operation.until("SERVICE_STOP_TIMEOUT"), force: true, isStopped: caller.isStopped)
        }
        try operation.manager.start()
        if let lost = Supervisor.lostLog(tree) { operation.log.warn("service log", lost) }
        try Health(tree: tree, soak: tree.configuration.time("HEALTH_SOAK")).wait(
            operation.manager, deadline: operation.until("SERVICE_START_TIMEOUT"), isStopped: caller.isStopped)
    }

    /// Stops it; `force` kills what does not stop in its time. Blocks the calling thread.
    public func stop(force: Bool) throws(DeploymentError) {
        let operation = try Operation(tree, name: "service", logName: "service_control", caller: caller, running: false)
        let lock = try DeploymentLock(tree, for: "the stop of the service")
        defer { withExtendedLifetime(lock) {} }
        let deadline = operation.until("SERVICE_STOP_TIMEOUT")
        try operation.manager.stop(deadline: deadline, force: force)
        let port = PortGuard(tree: tree, manager: operation.manager)
        // Who else is at the port is nothing to a service that is not to run.
        if port.stranger() == nil { try port.clear(deadline: deadline, force: force, isStopped: caller.isStopped) }
    }

    /// What it is doing now. Settles nothing, and says when there is something to settle.
    public func report() throws(DeploymentError) -> ServiceReport { try ServiceReport(tree) }
}
