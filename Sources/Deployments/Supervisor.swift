import Foundation
import Glibc
import Platform
import SystemPackage

/// The built-in supervisor, for trees without systemd: starts the service in a session of its own and knows it again by what it
/// wrote down before the service's first instruction. Nothing is ever looked for by name.
///
/// The service's processes are the first one (its number and its start time, in this boot) and every process that has the
/// token of this start in its environment, which children inherit whatever session or group they make for themselves.
struct Supervisor: ServiceManager {
    /// What is written down of a start.
    struct Record: Codable {
        var pid: Int32
        var startTicks: UInt64
        var boot: String
        var token: String
        var log: String
        var started: Int64
        var command: [String]
    }

    static let variable = "FRACAS_SERVICE_TOKEN"
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

    private func record() throws(DeploymentError) -> Record? {
        let bytes: [UInt8]
        do { bytes = try Files.open(tree.processRecord, flags: O_RDONLY | O_NOFOLLOW).readAll() } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw DeploymentError(.service, "read '\(tree.processRecord)': \(error)")
        }
        guard let record = try? JSONDecoder().decode(Record.self, from: Data(bytes)) else {
            throw DeploymentError(
                .service,
                "'\(tree.processRecord)' is not what the supervisor wrote: find the service by its port \(tree.configuration["API_PORT"]), stop it, and remove this file"
            )
        }
        return record.boot == Processes.boot() ? record : nil
    }

    /// The log of the service that was started last: what runs may still write to it.
    static func log(of tree: DeploymentTree) -> String? {
        guard let bytes = ProcFile.bytes(tree.processRecord) else { return nil }
        return (try? JSONDecoder().decode(Record.self, from: Data(bytes)))?.log
    }

    private func processes(_ record: Record) -> (main: Int32?, all: [Int32]) {
        _ = Child.reap(record.pid)
        let start = Processes.start(of: record.pid)
        let isOurs = start?.ticks == record.startTicks && start?.hasEnded == false
        let others = Processes.having("\(Self.variable)=\(record.token)").filter { $0 != record.pid }
        return (isOurs ? record.pid : nil, (isOurs ? [record.pid] : []) + others)
    }

    func state() throws(DeploymentError) -> ServiceState {
        guard let record = try record() else { return ServiceState(main: nil, processes: []) }
        let found = processes(record)
        return ServiceState(main: found.main, processes: found.all)
    }

    // MARK: starting

    private static func recordFile(_ tree: DeploymentTree) -> SpareFile {
        SpareFile(path: tree.processRecord, spare: tree.processRecord + ".spare", mode: 0o640)
    }

    /// Takes the space for the next record: a service must be startable also where none is left.
    static func prepare(_ tree: DeploymentTree) { try? recordFile(tree).prepare(for: 4096) }

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
        if !now.processes.isEmpty { try kill() }
        let token = (0..<16).map { _ in UInt8.random(in: 0...255) }.hexadecimal
        do {
            let (log, output) = try openLog()
            let program = try CommandRunner.program(command, in: tree.root)
            let request = Child.Request(
                command: [program] + command.dropFirst(), environment: environment(token), directory: tree.root,
                output: output, diesWithParent: false, identity: geteuid() == 0 ? identity : nil)
            _ = try Child.start(request) { (pid) throws(Errno) in
                let record = Record(
                    pid: pid, startTicks: Processes.start(of: pid)?.ticks ?? 0, boot: Processes.boot(), token: token,
                    log: log, started: Int64(time(nil)), command: command)
                guard let bytes = try? Text.json(record) else { throw .invalidArgument }
                try Self.recordFile(tree).replace(bytes)
            }
            Self.prepare(tree)
        } catch let error as DeploymentError { throw error } catch {
            throw DeploymentError(
                .service,
                "start the service '\(command.joined(separator: " "))' in '\(tree.root)': \(error)\(Copying.remedy(error)); SERVICE_COMMAND is from \(tree.configuration.source(of: "SERVICE_COMMAND"))"
            )
        }
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
        settings[Self.variable] = token
        return settings.map { "\($0.key)=\($0.value)" }.sorted()
    }

    // MARK: stopping

    func stop(deadline: Int64, force: Bool) throws(DeploymentError) {
        guard let record = try record() else { return }
        let found = processes(record)
        let trouble = signal(found.main.map { [$0] } ?? found.all, SIGTERM, record).map { "; \($0)" } ?? ""
        if try awaitEnd(record, deadline: deadline) { return }
        guard force else {
            let left = processes(record).all.map(String.init).joined(separator: ", ")
            throw DeploymentError(
                .service,
                "the service did not stop by SIGTERM within its time (processes \(left)\(trouble)); raise SERVICE_STOP_TIMEOUT, set FORCE_STOP=true, or roll back with --emergency"
            )
        }
        try kill()
    }

    func kill() throws(DeploymentError) {
        guard let record = try record() else { return }
        // A process that is being killed may have made another one that was not seen yet, so it is looked again.
        for _ in 0..<100 {
            let all = processes(record).all
            if all.isEmpty { return }
            signal(all, SIGKILL, record)
            if try awaitEnd(record, deadline: Clock.now() + 5_000_000_000) { return }
        }
        throw DeploymentError(
            .service, "processes \(processes(record).all) of the service cannot be killed: do they wait for a disk?")
    }

    /// Sends a signal to those that still are the service's: the handle is taken first, then it is looked again.
    /// - Returns: why one could not be sent; nil when all were, or who did not get it is gone.
    @discardableResult
    private func signal(_ pids: [Int32], _ number: Int32, _ record: Record) -> String? {
        var trouble: String?
        for pid in pids {
            do {
                let handle = try ProcessHandle(pid: pid)
                if processes(record).all.contains(pid) { try handle.send(number) }
            } catch { if error != .noSuchProcess { trouble = "signal \(number) to process \(pid): \(error)" } }
        }
        return trouble
    }

    private func awaitEnd(_ record: Record, deadline: Int64) throws(DeploymentError) -> Bool {
        while true {
            let all = processes(record).all
            guard let first = all.first else { return true }
            guard Clock.now() < deadline else { return false }
            guard let handle = try? ProcessHandle(pid: first) else {
                // It has just ended, or cannot be watched: then it is looked again, but not as fast as that goes.
                usleep(10_000)
                continue
            }
            if !Wait.forInput(handle.descriptor, until: deadline) { return processes(record).all.isEmpty }
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
