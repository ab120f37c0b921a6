import Foundation
import Glibc
import Platform

/// Who starts and stops the deployed service.
protocol ServiceManager: Sendable {
    /// As reports name it.
    var name: String { get }
    /// Whether it runs, and its processes.
    /// - Throws: `DeploymentError` when that cannot be told.
    func state() throws(DeploymentError) -> ServiceState
    /// Starts it, when it does not run.
    func start() throws(DeploymentError)
    /// Asks it to stop, and waits until none of its processes is left.
    /// - Parameter deadline: on the monotonic clock, in nanoseconds.
    /// - Parameter force: whether what is left then is killed; otherwise that is an error.
    func stop(deadline: Int64, force: Bool) throws(DeploymentError)
    /// Kills its own processes, and no others, without asking them first.
    func kill() throws(DeploymentError)
    /// The service's messages since a time, in seconds since 1970, at most the last 16 MiB.
    func messages(since time: Int64) throws(DeploymentError) -> [String]
}

/// Whether a service runs.
package struct ServiceState: Sendable {
    /// Its first process; nil when it does not run.
    var main: Int32?
    /// All of its processes.
    var processes: [Int32]
    /// How often its manager has started it again by itself since it was started.
    var restarts = 0
    /// How it ended last, and why it is not started again; nil where that is not known, or not so.
    var lastEnd: String?
    var givenUp: String?
    /// Whether it is about to be started again.
    var isAwaited = false
    /// Whether nobody would start it again.
    var isUnkept = false

    package init(main: Int32?, processes: [Int32], restarts: Int = 0) {
        self.main = main
        self.processes = processes
        self.restarts = restarts
    }

    var isRunning: Bool { main != nil }
    /// Whether it runs, or would in a moment.
    var isWanted: Bool { isRunning || isAwaited }
}

enum ServiceManagers {
    /// The one that a tree's configuration asks for.
    /// - Throws: `DeploymentError` when that cannot be had here.
    static func choose(_ tree: DeploymentTree) throws(DeploymentError) -> any ServiceManager {
        let configuration = tree.configuration
        switch configuration["SERVICE_MANAGER"] {
        case "systemd": return try Systemd(tree)
        case "supervisor": return try Supervisor(tree)
        default:
            let isThere = (try? FileStatus("/run/systemd/system"))?.kind == .directory
            if isThere {
                let systemd = try Systemd(tree)
                if try systemd.knowsUnit() { return systemd }
            }
            return try Supervisor(tree)
        }
    }
}

/// Looking at processes by their numbers.
package enum Processes {
    /// What `/proc/<pid>/stat` says behind the program's name, from the state on (proc(5)'s third field); nil when there is no such
    /// process.
    static func fields(of pid: Int32) -> [Substring]? {
        guard let text = ProcFile.text("/proc/\(pid)/stat"), let close = text.lastIndex(of: ")") else { return nil }
        return text[text.index(after: close)...].split(separator: " ")
    }

    /// When a process started, in clock ticks since the machine did, and whether it has ended but was not reaped; nil when there
    /// is no such process.
    static func start(of pid: Int32) -> (ticks: UInt64, hasEnded: Bool)? {
        guard let fields = fields(of: pid), fields.count > 19, let ticks = UInt64(fields[19]) else { return nil }
        return (ticks, fields[0] == "Z" || fields[0] == "X")
    }

    /// The boot this machine is in: numbers of processes mean nothing beyond it.
    static func boot() -> String {
        (ProcFile.text("/proc/sys/kernel/random/boot_id") ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Every process whose environment has this setting, which it inherited from the one that was given it.
    static func having(_ setting: String) -> [Int32] {
        ProcFile.numbers("/proc").filter { has(setting, $0) }
    }

    /// Whether a process runs that has this setting in its environment.
    static func has(_ setting: String, _ pid: Int32) -> Bool {
        // An environment may be longer than what small files are read to.
        guard let file = try? Descriptor.open("/proc/\(pid)/environ"), let bytes = try? file.readAll(limit: 1 << 24),
            start(of: pid)?.hasEnded == false
        else { return false }
        let wanted = Array(setting.utf8)
        return bytes.split(separator: 0).contains { $0.elementsEqual(wanted) }
    }
}

extension ServiceState {
    /// What an operator has to know of its ends; nil when there is nothing.
    var history: String? {
        var parts: [String] = []
        if restarts > 0, isRunning || lastEnd != nil {
            parts.append("started again \(restarts) time\(restarts == 1 ? "" : "s")")
        }
        if let lastEnd, restarts > 0 || !isRunning { parts.append("ended last by \(lastEnd)") }
        if isAwaited { parts.append("is about to be started again") }
        if let givenUp, !isRunning { parts.append("is not started any more: \(givenUp)") }
        if isUnkept {
            parts.append("its keeper is gone, so nobody would start it again: stop and start it to have one")
        }
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }
}
