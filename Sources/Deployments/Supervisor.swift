import Foundation
import Glibc
import Platform
import SystemPackage

/// The built-in supervisor, for trees without systemd: starts the service in a session of its own below a keeper, and knows it
/// again by what was written down before the service's first instruction.
///
/// The service's processes are the first one (its number and its start time, in this boot), every process that has the token of
/// this start in its environment, which children inherit whatever session or group they make for themselves, and every process
/// that descends from these or from the keeper, to which what is orphaned falls.
struct Supervisor: ServiceManager {
    let name = "the built-in supervisor"
    private let tree: DeploymentTree
    private let command: [String]
    private let identity: (user: UInt32, group: UInt32)?

    init(_ tree: DeploymentTree) throws(DeploymentError) {
        self.tree = tree
        let configuration = tree.configuration
        command = configuration.words("SERVICE_COMMAND")
        guard !command.isEmpty else {
            throw DeploymentError(
                .configuration,
                "\(configuration.source(of: "SERVICE_COMMAND")): SERVICE_COMMAND is empty: without systemd the built-in supervisor needs the service's command"
            )
        }
        identity = try Identity.find(user: configuration["SERVICE_USER"], group: configuration["SERVICE_GROUP"])
        if let identity, geteuid() != 0, identity.user != geteuid() || identity.group != getegid() {
            let key = identity.user != geteuid() ? "SERVICE_USER" : "SERVICE_GROUP"
            throw DeploymentError(
                .configuration,
                "\(configuration.source(of: key)): \(key) is '\(configuration[key])', but this is user \(geteuid()) of group \(getegid()), who cannot start the service as another: deploy as root or as that user, or leave SERVICE_USER and SERVICE_GROUP empty"
            )
        }
    }

    // MARK: what runs

    private func record() throws(DeploymentError) -> ServiceRecord? { try ServiceRecord.load(tree) }

    /// The log of the service that was started last: what runs may still write to it.
    static func log(of tree: DeploymentTree) -> String? {
        guard let bytes = ProcFile.bytes(tree.processRecord) else { return nil }
        return (try? JSONDecoder().decode(ServiceRecord.self, from: Data(bytes)))?.log
    }

    func state() throws(DeploymentError) -> ServiceState {
        guard let record = try record() else { return ServiceState(main: nil, processes: []) }
        let found = record.processes()
        var state = ServiceState(main: found.main, processes: found.all, restarts: record.restarts ?? 0)
        state.lastEnd = record.lastEnd
        state.givenUp = record.givenUp
        if state.isRunning {
            state.isUnkept = record.livingKeeper == nil
        } else {
            // The time is written down; that it comes takes a keeper.
            state.isAwaited = record.nextStart != nil && record.livingKeeper != nil
        }
        return state
    }

    // MARK: starting

    /// Takes the space for the next record: a service must be startable also where none is left.
    static func prepare(_ tree: DeploymentTree) { try? ServiceRecord.file(tree.processRecord).prepare(for: 4096) }

    /// The file for the service's output. Where there can be none, or nothing can be written to it, the output goes nowhere: a full
    /// disk of logs is no reason not to serve.
    private func openLog() throws(Errno) -> (path: String, Descriptor) {
        let path = "\(tree.logs)/service_\(DeploymentTree.stamp()).log"
        do {
            try Files.makeDirectories(tree.logs, mode: tree.configuration.mode("DIR_PERMISSIONS"))
            guard try Files.space(tree.logs).free > 0 else { throw Errno.noSpace }
            let file = try Files.open(
                path, flags: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW,
                mode: tree.configuration.mode("FILE_PERMISSIONS"))
            if let identity, geteuid() == 0 { try Files.setOwner(path, user: identity.user, group: identity.group) }
            return (path, file)
        } catch { return (Self.nowhere, try Files.open(Self.nowhere, flags: O_WRONLY)) }
    }

    private static let nowhere = "/dev/null"

    /// That the output of the service that was started last goes nowhere; nil when it does not.
    static func lostLog(_ tree: DeploymentTree) -> String? {
        guard log(of: tree) == nowhere else { return nil }
        return
            "the service's output goes nowhere, because no log can be written in '\(tree.logs)' (LOG_DIR): make room there, then start the service anew"
    }

    func start() throws(DeploymentError) {
        let now = try state()
        if now.isRunning { return }
        let isKept = try record()?.livingKeeper != nil
        if !now.processes.isEmpty || isKept { try kill() }
        try? Files.remove(ServiceRecord.aside(tree.processRecord))
        let token = (0..<16).map { _ in UInt8.random(in: 0...255) }.hexadecimal
        do {
            let (log, output) = try openLog()
            let program = try CommandRunner.program(command, in: tree.root)
            let own = geteuid() == 0 ? identity : nil
            let request = Child.Request(
                command: [program] + command.dropFirst(), environment: environment(token), directory: tree.root,
                output: output, diesWithParent: false, identity: own)
            let memory = try Descriptor.memory("fracas-service")
            try Child.start(request, below: keeper(token, memory)) { (keeper, pid) throws(Errno) in
                let record = ServiceRecord(
                    pid: pid, startTicks: Processes.start(of: pid)?.ticks ?? 0, boot: Processes.boot(), token: token,
                    log: log, started: Int64(time(nil)), command: command, keeper: keeper,
                    keeperTicks: Processes.start(of: keeper)?.ticks)
                let letter = ServiceKeeper.Letter(
                    record: record, recordPath: tree.processRecord, command: request.command,
                    environment: request.environment, directory: request.directory, user: own?.user, group: own?.group,
                    policy: RestartPolicy(tree.configuration))
                guard let bytes = try? Text.json(letter) else { throw .invalidArgument }
                try memory.writeAll(bytes)
                try record.save(tree.processRecord)
            }
            Self.prepare(tree)
        } catch let error as DeploymentError { throw error } catch {
            throw DeploymentError(
                .service,
                "start the service '\(command.joined(separator: " "))' in '\(tree.root)': \(error)\(Copying.remedy(error)); SERVICE_COMMAND is from \(tree.configuration.source(of: "SERVICE_COMMAND"))"
            )
        }
    }

    /// Ourselves once more, by what this process runs, wherever that lies by now.
    private func keeper(_ token: String, _ letter: Descriptor) -> Child.Keeper {
        let own = ProcessInfo.processInfo.environment
        var settings = ["FRACAS_KEEPER_TOKEN=\(token)"]
        for name in ["PATH", "LANG", "LD_LIBRARY_PATH"] {
            if let value = own[name] { settings.append("\(name)=\(value)") }
        }
        return Child.Keeper(
            program: "/proc/self/exe", arguments: ["fracas", ServiceKeeper.verb, tree.root], environment: settings,
            letter: letter)
    }

    private func environment(_ token: String) -> [String] {
        let own = ProcessInfo.processInfo.environment
        let configuration = tree.configuration
        var settings = ["PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"]
        for name in ["PATH", "HOME", "USER", "TMPDIR"] { if let value = own[name] { settings[name] = value } }
        let prefix = configuration["SERVICE_ENV_PREFIX"]
        if !prefix.isEmpty {
            for name in ["SHUTDOWN_TIMEOUT", "RESOURCE_CLEANUP_TIMEOUT", "CHANNEL_DRAIN_TIMEOUT", "API_PORT"] {
                settings[prefix + name] = configuration[name]
            }
        }
        for word in configuration.words("SERVICE_ENVIRONMENT") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if parts.count == 2 { settings[parts[0]] = parts[1] }
        }
        settings[ServiceRecord.variable] = token
        return settings.map { "\($0.key)=\($0.value)" }.sorted()
    }

    // MARK: stopping

    func stop(deadline: Int64, force: Bool) throws(DeploymentError) {
        guard let record = try record() else { return }
        var trouble: String?
        if let keeper = record.livingKeeper {
            // It passes the request on, once, and starts nothing any more.
            trouble = signal(keeper: keeper, SIGTERM, record)
            _ = signal(keeper: keeper, SIGCONT, record)
        }
        if record.livingKeeper == nil || trouble != nil {
            let found = record.processes()
            trouble = signal(found.main.map { [$0] } ?? found.all, SIGTERM, record)
        }
        // Its first process ends the others. What it leaves is asked itself.
        if let main = record.processes().main, let handle = try? ProcessHandle(pid: main) {
            _ = Wait.forInput(handle.descriptor, until: deadline)
        }
        let found = record.processes()
        if found.main == nil { _ = signal(found.all, SIGTERM, record) }
        if try awaitEnd(record, deadline: deadline) { return }
        guard force else {
            let left = record.processes().all.map(String.init).joined(separator: ", ")
            throw DeploymentError(
                .service,
                "the service did not stop by SIGTERM within its time (processes \(left)\(trouble.map { "; \($0)" } ?? "")); raise SERVICE_STOP_TIMEOUT, set FORCE_STOP=true, or roll back with --emergency"
            )
        }
        try kill()
    }

    func kill() throws(DeploymentError) {
        // A keeper that was asked to stop by somebody else may have written the record anew.
        guard let record = try record() else { return }
        // Held, the keeper starts nothing, and what is orphaned still falls to it.
        if let keeper = record.livingKeeper { _ = signal(keeper: keeper, SIGSTOP, record) }
        // A process that is being killed may have made another one that was not seen yet, so it is looked again.
        for _ in 0..<100 {
            let all = record.processes().all
            if all.isEmpty {
                guard let keeper = record.livingKeeper else { return }
                let handle = try? ProcessHandle(pid: keeper)
                _ = signal(keeper: keeper, SIGKILL, record)
                if let handle { _ = Wait.forInput(handle.descriptor, until: Clock.now() + 5_000_000_000) }
                continue
            }
            signal(all, SIGKILL, record)
            if try awaitEnd(record, deadline: Clock.now() + 5_000_000_000, withKeeper: false) { continue }
        }
        throw DeploymentError(
            .service, "processes \(record.processes().all) of the service cannot be killed: do they wait for a disk?")
    }

    /// Sends a signal to the keeper, if it still is that.
    private func signal(keeper: Int32, _ number: Int32, _ record: ServiceRecord) -> String? {
        do {
            let handle = try ProcessHandle(pid: keeper)
            if record.livingKeeper == keeper { try handle.send(number) }
            return nil
        } catch { return error == .noSuchProcess ? nil : "signal \(number) to process \(keeper): \(error)" }
    }

    /// Sends a signal to those that still are the service's: the handle is taken first, then it is looked again.
    /// - Returns: why one could not be sent; nil when all were, or who did not get it is gone.
    @discardableResult
    private func signal(_ pids: [Int32], _ number: Int32, _ record: ServiceRecord) -> String? {
        var trouble: String?
        for pid in pids {
            do {
                let handle = try ProcessHandle(pid: pid)
                if record.processes().all.contains(pid) { try handle.send(number) }
            } catch { if error != .noSuchProcess { trouble = "signal \(number) to process \(pid): \(error)" } }
        }
        return trouble
    }

    private func awaitEnd(
        _ record: ServiceRecord, deadline: Int64, withKeeper: Bool = true
    ) throws(DeploymentError) -> Bool {
        func left() -> [Int32] {
            let all = record.processes().all
            return all.isEmpty && withKeeper ? record.livingKeeper.map { [$0] } ?? [] : all
        }
        while true {
            let all = left()
            guard let first = all.first else { return true }
            guard Clock.now() < deadline else { return false }
            guard let handle = try? ProcessHandle(pid: first) else {
                // It has just ended, or cannot be watched: then it is looked again, but not as fast as that goes.
                usleep(10_000)
                continue
            }
            if !Wait.forInput(handle.descriptor, until: deadline) { return left().isEmpty }
        }
    }

    // MARK: messages

    func messages(since time: Int64) throws(DeploymentError) -> [String] {
        do { return try ServiceLog(directory: tree.logs).lines(since: time) } catch {
            throw DeploymentError(.service, "read the service's logs in '\(tree.logs)': \(error)")
        }
    }
}

/// Users by name.
enum Identity {
    /// A user and its group; nil when no name is given.
    /// - Throws: `DeploymentError` when there is no such user or group.
    static func find(user: String, group: String) throws(DeploymentError) -> (user: UInt32, group: UInt32)? {
        guard !user.isEmpty else {
            if group.isEmpty { return nil }
            throw DeploymentError(
                .configuration, "SERVICE_GROUP is '\(group)' without a SERVICE_USER: give that too, or leave it empty")
        }
        guard let entry = getpwnam(user) else {
            throw DeploymentError(
                .configuration, "SERVICE_USER '\(user)' is no user here: useradd --system \(user), or leave it empty")
        }
        let number = (entry.pointee.pw_uid, entry.pointee.pw_gid)
        guard !group.isEmpty else { return number }
        guard let entry = getgrnam(group) else {
            throw DeploymentError(
                .configuration,
                "SERVICE_GROUP '\(group)' is no group here: groupadd --system \(group), or leave it empty")
        }
        return (number.0, entry.pointee.gr_gid)
    }
}
