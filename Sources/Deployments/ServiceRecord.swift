import Foundation
import Glibc
import Platform
import SystemPackage

/// What the built-in supervisor has written down of a service that it started: by this it is known again. Nothing is ever looked
/// for by name.
struct ServiceRecord: Codable {
    /// The service's first process, and when that started.
    var pid: Int32
    var startTicks: UInt64
    var boot: String
    /// What all of its processes have in their environment, unless they emptied it.
    var token: String
    var log: String
    var started: Int64
    var command: [String]
    /// The process that starts it again; nil where there is none.
    var keeper: Int32?
    var keeperTicks: UInt64?
    /// How often it was started again.
    var restarts: Int?
    /// How it ended last.
    var lastEnd: String?
    /// When it is to be started again, in seconds since 1970; nil while it runs and when it is not.
    var nextStart: Int64?
    /// Why it is not started again.
    var givenUp: String?

    static let variable = "FRACAS_SERVICE_TOKEN"

    /// - Throws: `DeploymentError` when there is one that cannot be understood.
    /// - Returns: nil when there is none of this boot.
    static func load(_ tree: DeploymentTree) throws(DeploymentError) -> ServiceRecord? {
        let bytes: [UInt8]
        do { bytes = try Files.open(tree.processRecord, flags: O_RDONLY | O_NOFOLLOW).readAll() } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw DeploymentError(.service, "read '\(tree.processRecord)': \(error)")
        }
        guard let record = try? JSONDecoder().decode(ServiceRecord.self, from: Data(bytes)) else {
            throw DeploymentError(
                .service,
                "'\(tree.processRecord)' is not what the supervisor wrote: find the service by its port \(tree.configuration["API_PORT"]), stop it, and remove this file"
            )
        }
        return record.boot == Processes.boot() ? record : nil
    }

    /// Space for the next one is there before it is needed.
    static func file(_ path: String) -> SpareFile { SpareFile(path: path, spare: path + ".spare", mode: 0o640) }

    /// Brings it to the disk, by the deployer.
    func save(_ path: String) throws(Errno) {
        guard let bytes = try? Text.json(self) else { throw .invalidArgument }
        do { try Self.file(path).replace(bytes) } catch {
            guard error == .noSpace || error == .diskQuotaExceeded else { throw error }
            try overwrite(path, bytes)
        }
    }

    /// Brings it to the disk, by the keeper, which is nobody's operation: by a name that no recovery takes for what one left.
    func saveAside(_ path: String) {
        guard let bytes = try? Text.json(self) else { return }
        let aside = Self.aside(path)
        do throws(Errno) {
            try Files.write(aside, bytes, mode: 0o640)
            try Files.rename(aside, path)
        } catch {
            try? Files.remove(aside)
            try? overwrite(path, bytes)
        }
    }

    static func aside(_ path: String) -> String { path + "-next" }

    /// On a full disk there is still the page that the last record lies in.
    private func overwrite(_ path: String, _ bytes: [UInt8]) throws(Errno) {
        try? Files.remove(path + ".new")
        let file = try Files.open(path, flags: O_WRONLY | O_NOFOLLOW)
        // Blanks behind it, up to the old one's end, are as good as its end.
        let rest = max(0, Int((try? FileStatus(path))?.size ?? 0) - bytes.count)
        try file.writeAll(bytes + [UInt8](repeating: 0x20, count: min(rest, 1 << 16)))
        try Files.sync(file)
    }

    // MARK: what runs

    /// The keeper, if it is still the one that was written down.
    var livingKeeper: Int32? {
        guard let keeper else { return nil }
        // Where we started it ourselves it stays a zombie until we look.
        _ = Child.reap(keeper)
        guard let start = Processes.start(of: keeper), start.ticks == keeperTicks, !start.hasEnded else { return nil }
        return keeper
    }

    /// The first process, and all of them, without the keeper.
    func processes() -> (main: Int32?, all: [Int32]) {
        _ = Child.reap(pid)
        let start = Processes.start(of: pid)
        let isOurs = start?.ticks == startTicks && start?.hasEnded == false
        var found = Set(Processes.having("\(Self.variable)=\(token)"))
        if isOurs { found.insert(pid) } else { found.remove(pid) }
        // Who emptied the environment is still below the keeper, or below one that did not.
        var roots = found
        if let keeper = livingKeeper { roots.insert(keeper) }
        if !roots.isEmpty { found.formUnion(Processes.descendants(of: roots, in: Processes.table())) }
        let others = found.subtracting([pid]).sorted()
        return (isOurs ? pid : nil, (isOurs ? [pid] : []) + others)
    }
}
