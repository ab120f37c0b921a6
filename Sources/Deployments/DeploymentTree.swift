import Foundation
import Glibc
import Platform

/// The places of a tree that deployments use.
public struct DeploymentTree: Sendable {
    /// Its absolute path, no link in it.
    public let root: String
    /// What holds for it.
    public let configuration: Configuration

    /// Finds a tree and reads its configuration.
    /// - Parameter onlyLooking: for who runs nothing of what the configuration says: one that others can write is read too.
    /// - Throws: `DeploymentError` when it is no directory, or its configuration is wrong or not to be trusted.
    public init(
        _ path: String, environment: [String: String], overrides: [String], onlyLooking: Bool = false
    ) throws(DeploymentError) {
        guard let resolved = realpath(path, nil) else {
            throw DeploymentError(
                .configuration, "the tree '\(path)' is not there; give the software's directory with --tree")
        }
        root = String(cString: resolved)
        free(resolved)
        guard (try? FileStatus(root))?.kind == .directory else {
            throw DeploymentError(.configuration, "the tree '\(path)' is not a directory")
        }
        if !onlyLooking, let fault = Trust().configurationFault(root) { throw DeploymentError(.configuration, fault) }
        configuration = try Configuration(tree: root, environment: environment, overrides: overrides)
        for (name, place) in [("BACKUP_DIR", backups), ("LOG_DIR", logs)] where place == "/" || place == root {
            throw DeploymentError(
                .configuration,
                "\(configuration.source(of: name)): \(name) is '\(place)': give it a directory of its own")
        }
    }

    /// Names at the top of a tree that no release can bring: they are the machine's, not the release's.
    static let reserved: Set<String> = ["deployment", ".git", ".venv", "releases"]

    /// The kit's directory.
    public var directory: String { "\(root)/deployment" }
    /// Where a change is put together and what it replaced is kept until the change is settled: beside the tree's own
    /// directories, because only within one file system can names be exchanged.
    public var staging: String { "\(directory)/.staging" }
    /// The write-ahead journal; there only while an operation is unfinished.
    public var journal: String { "\(directory)/.journal" }
    /// The file whose lock an operation holds.
    public var lock: String { "\(directory)/.lock" }
    /// What was deployed last.
    public var state: String { "\(directory)/.state" }
    /// The built-in supervisor's record of the service it started.
    public var processRecord: String { "\(directory)/.service" }
    /// Backups.
    public var backups: String { configuration.path("BACKUP_DIR") ?? "\(directory)/backups" }
    /// Logs and reports.
    public var logs: String { configuration.path("LOG_DIR") ?? "\(directory)/logs" }

    /// Makes the directory for backups, which no change goes without.
    package func prepare() throws(DeploymentError) {
        do { try Files.makeDirectories(backups, mode: configuration.mode("DIR_PERMISSIONS")) } catch {
            throw DeploymentError(.files, "make the directory '\(backups)': \(error); is the tree on a writable disk?")
        }
    }

    /// The time now as names of backups and logs have it, `YYYYMMDD_HHMMSS` in UTC.
    static func stamp(_ time: time_t = Glibc.time(nil)) -> String {
        var time = time
        var parts = tm()
        gmtime_r(&time, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)\(two(parts.tm_mon + 1))\(two(parts.tm_mday))_"
            + "\(two(parts.tm_hour))\(two(parts.tm_min))\(two(parts.tm_sec))"
    }
}
