import Crypto
import Foundation
import Glibc
import Platform

/// A backup: a directory with `manifest.json`, its hash, and the files.
public struct Backup: Sendable {
    /// Its directory.
    public let path: String
    /// What it says it holds.
    public let manifest: Manifest
    /// The name of its directory.
    var name: String { String(path.split(separator: "/").last ?? "") }
}

/// The backups of a tree. One appears under its name only when all of it is on the disk, and vanishes from it before the first
/// of its files is removed: a directory with a backup's name is a whole one.
package struct BackupStore {
    let tree: DeploymentTree
    private static let unfinished = ".partial-"
    private static let condemned = ".trash-"

    private var fileMode: UInt32 { tree.configuration.mode("FILE_PERMISSIONS") }
    private var directoryMode: UInt32 { tree.configuration.mode("DIR_PERMISSIONS") }

    package init(tree: DeploymentTree) { self.tree = tree }

    /// The directories that backups are in: the second is for what rollbacks put aside, which who lists the backups to take the
    /// newest does not see.
    var homes: [String] {
        let aside = "\(tree.directory)/safety"
        return tree.backups == aside ? [aside] : [tree.backups, aside]
    }

    /// The directory of a backup of this name, where there is one.
    package func path(of name: String) -> String {
        let candidates = homes.map { "\($0)/\(name)" }
        return candidates.first { (try? FileStatus($0)) != nil } ?? candidates[0]
    }

    // MARK: making

    /// Makes the directory of a kind of backup, when it is missing.
    private func home(of kind: Manifest.Kind) throws(DeploymentError) -> String {
        let home = kind == .safety ? homes[homes.count - 1] : tree.backups
        do {
            if try FileStatus(home) == nil {
                try Files.makeDirectory(home, mode: directoryMode)
                try Files.sync(directory: Files.parent(of: home))
            }
        } catch { throw DeploymentError(.files, "make the directory '\(home)': \(error)\(Copying.remedy(error))") }
        return home
    }

    /// Copies what the tree holds below the units.
    /// - Throws: `DeploymentError` when it cannot be written, or is read back differently.
    package func make(_ kind: Manifest.Kind, units: [String], entries: [Entry], absent: [String])
        throws(DeploymentError)
        -> Backup
    {
        let id = try freeName()
        let home = try home(of: kind)
        let partial = "\(home)/\(Self.unfinished)\(id)"
        let path = "\(home)/\(id)"
        let directory: Descriptor
        do {
            try Files.removeTree(partial)
            try Files.makeDirectory(partial, mode: directoryMode)
            try Files.makeDirectory("\(partial)/files", mode: directoryMode)
            directory = try Files.open("\(partial)/files", flags: O_RDONLY | O_DIRECTORY)
        } catch { throw DeploymentError(.files, "make the backup '\(partial)': \(error)\(Copying.remedy(error))") }
        let copied = try Copying.copy(
            entries, from: tree.root, to: "\(partial)/files", keepOwner: false,
            mode: { $0.kind == .directory ? directoryMode : fileMode })
        try Copying.sync(copied, in: directory, "\(partial)/files")
        var manifest = Manifest(id: id, kind: kind, units: units, entries: copied, absent: absent, root: tree.root)
        let order = order()
        manifest.sequence = order.next
        let text = try Text.json(manifest)
        do {
            try Files.write("\(partial)/manifest.json", text, mode: fileMode)
            try Files.write("\(partial)/manifest.sha256", Array(Self.sum(text).utf8), mode: fileMode)
            try Files.sync(directory: "\(partial)/files")
            try Files.sync(directory: partial)
        } catch {
            throw DeploymentError(.files, "write the manifest of '\(partial)': \(error)\(Copying.remedy(error))")
        }
        if tree.configuration.flag("BACKUP_VERIFICATION") { _ = try verified(at: partial) }
        do {
            try date(partial, after: order.names)
            try Files.renameNew(partial, path)
            try Files.sync(directory: home)
        } catch { throw DeploymentError(.files, "give the backup its name '\(path)': \(error)") }
        return Backup(path: path, manifest: manifest)
    }

    /// A new backup as a log tells it.
    func told(_ backup: Backup) -> String {
        let isVerified = tree.configuration.flag("BACKUP_VERIFICATION")
        return "\(backup.path), \(isVerified ? "read back and compared" : "not read back (BACKUP_VERIFICATION)")"
    }

    /// The name of this second, or of the first one after it that is free.
    private func freeName() throws(DeploymentError) -> String {
        let now = time(nil)
        for later in 0..<3600 {
            let name = DeploymentTree.stamp(now + later)
            do {
                var isFree = true
                for home in homes where try FileStatus("\(home)/\(name)") != nil { isFree = false }
                if isFree { return name }
            } catch { throw DeploymentError(.files, "look at '\(tree.backups)/\(name)': \(error)") }
        }
        throw DeploymentError(.files, "no free name in '\(tree.backups)' for a backup: is that directory readable?")
    }

    // MARK: finding

    /// The names of all backups, the newest last.
    package func names() -> [String] { order().names }

    /// The names of the backups that came after one.
    func names(after backup: Backup) -> [String] {
        let names = names()
        if let place = names.firstIndex(of: backup.name), path(of: backup.name) == backup.path {
            return Array(names[(place + 1)...])
        }
        // One from elsewhere: by what it says of itself.
        guard let place = names.lastIndex(where: { $0 <= backup.manifest.id }) else { return names }
        return Array(names[(place + 1)...])
    }

    private func order() -> BackupOrder {
        let all = homes.flatMap { (try? Files.entries($0)) ?? [] }.filter { $0.wholeMatch(of: /\d{8}_\d{6}/) != nil }
        return BackupOrder(all, place: path)
    }

    /// Dates a new backup after all others, for who lists them by time: the clock may have been put back.
    private func date(_ directory: String, after names: [String]) throws {
        let others = names.compactMap { try? FileStatus(path(of: $0))?.modified }
        if let latest = others.max(), latest >= Int64(time(nil)) {
            try Files.setModified(directory, seconds: latest + 1)
        }
    }

    /// What `manifest.sha256` has for a manifest.
    package static func sum(_ manifest: [UInt8]) -> String {
        SHA256.hash(data: manifest).hexadecimal + "  manifest.json\n"
    }

    /// The backup that an operator names: `latest`, a name, or a directory.
    /// - Throws: `DeploymentError` when it is not there or is damaged, naming the file.
    package func find(_ given: String) throws(DeploymentError) -> Backup {
        if given == "latest" { return try latest() }
        let candidates = homes.map { "\($0)/\(given)" } + [given, "\(tree.root)/\(given)"]
        for candidate in candidates where (try? FileStatus(candidate))?.kind == .directory {
            return try verified(at: URL(fileURLWithPath: candidate).standardizedFileURL.path)
        }
        let known = names().suffix(5).joined(separator: ", ")
        throw DeploymentError(
            .damaged,
            "there is no backup '\(Text.plain(given))'; \(known.isEmpty ? "there are none at all" : "the newest are \(known)")"
        )
    }

    /// The newest backup that is whole. What a rollback put aside is not meant by this, unless it is asked for.
    func latest(safety: Bool = false) throws(DeploymentError) -> Backup {
        var faults: [String] = []
        for name in names().reversed() {
            do {
                let backup = try verified(at: path(of: name))
                if (backup.manifest.kind == .safety) == safety { return backup }
            } catch { faults.append(error.description) }
        }
        throw DeploymentError(
            .damaged,
            (["there is no good backup in '\(tree.backups)' to go back to"] + faults.prefix(5)).joined(separator: "\n"))
    }

    // MARK: verifying

    /// Reads a backup whole and compares it with its manifest.
    /// - Throws: `DeploymentError` with the name of what is missing, added or changed.
    package func verified(at path: String) throws(DeploymentError) -> Backup {
        func damaged(_ name: String, _ what: String) -> DeploymentError {
            DeploymentError(
                .damaged,
                "the backup '\(path)' is damaged: '\(Text.plain(name))' \(what); choose another ('fracas backups')")
        }
        try checkOwner(path)
        guard let text = read("\(path)/manifest.json"), let sum = read("\(path)/manifest.sha256") else {
            throw damaged("manifest.json", "or manifest.sha256 cannot be read")
        }
        guard String(decoding: sum, as: UTF8.self) == Self.sum(text)
        else { throw damaged("manifest.json", "does not have the hash in manifest.sha256") }
        guard let manifest = try? JSONDecoder().decode(Manifest.self, from: Data(text)) else {
            throw damaged("manifest.json", "is no manifest")
        }
        if let fault = manifest.fault { throw damaged("manifest.json", fault) }
        let found: [Entry]
        do {
            found = try Scan.entries(
                of: "\(path)/files", units: try Scan.names(in: "\(path)/files"), in: .unknown, anew: true)
        } catch { throw damaged("files", "cannot be read: \(error)") }
        var onDisk = Dictionary(found.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        for entry in manifest.entries {
            guard let copy = onDisk.removeValue(forKey: entry.path) else {
                throw damaged("files/\(entry.path)", "is missing")
            }
            guard copy.kind == entry.kind, copy.sha256 == entry.sha256, copy.size == entry.size,
                copy.target == entry.target
            else { throw damaged("files/\(entry.path)", "is not what was written") }
        }
        if let extra = onDisk.keys.min() { throw damaged("files/\(extra)", "is not in the manifest") }
        return Backup(path: path, manifest: manifest)
    }

    private func checkOwner(_ path: String) throws(DeploymentError) {
        guard let status = try? FileStatus(path) else { return }
        let trusted: Set<UInt32> = [0, geteuid(), (try? FileStatus(tree.root))?.user ?? 0]
        guard trusted.contains(status.user), status.mode & 0o002 == 0 else {
            throw DeploymentError(
                .damaged,
                "the backup '\(path)' belongs to user \(status.user) with permissions \(String(status.mode, radix: 8)): others could have changed it; give it to the tree's owner and take write permission from everyone else"
            )
        }
    }

    private func read(_ path: String) -> [UInt8]? {
        guard let file = try? Files.open(path, flags: O_RDONLY | O_NOFOLLOW) else { return nil }
        return try? file.readAll(limit: 1 << 28)
    }

    // MARK: removing

    /// Removes backups older than the retention time, but for the newest good one and those in use.
    /// - Returns: the names of those removed.
    package func retain(inUse: Set<String>) throws(DeploymentError) -> [String] {
        try clean()
        let age = time_t(tree.configuration.whole("BACKUP_RETENTION_DAYS")) * 86_400
        let oldest = DeploymentTree.stamp(time(nil) - age)
        let old = order().before(oldest, now: DeploymentTree.stamp()).filter { !inUse.contains($0) }
        guard !old.isEmpty else { return [] }
        // Without a good one to keep nothing is removed: somebody may want to repair one.
        guard let good = (try? latest())?.path else { return [] }
        let removed = old.filter { path(of: $0) != good }
        for name in removed {
            let path = path(of: name)
            let home = Files.parent(of: path)
            do {
                try Files.rename(path, "\(home)/\(Self.condemned)\(name)")
                try Files.sync(directory: home)
            } catch { throw DeploymentError(.files, "remove the old backup '\(path)': \(error)") }
        }
        try clean()
        return removed
    }

    /// Whether a name in the directory of backups is what an operation that was broken off left.
    static func isLeftover(_ name: String) -> Bool { name.hasPrefix(unfinished) || name.hasPrefix(condemned) }

    /// Removes what an operation that was broken off left; called with the tree's lock held.
    /// - Returns: what could not be removed, and was put aside.
    @discardableResult
    func clean() throws(DeploymentError) -> [String] {
        var left: [String] = []
        for home in homes {
            let names: [String]
            do { names = try Files.entries(home) } catch {
                throw DeploymentError(.files, "remove leftovers in '\(home)': \(error)")
            }
            for name in names where Self.isLeftover(name) {
                if let text = try Leavings.remove("\(home)/\(name)") { left.append(text) }
            }
        }
        return left
    }
}
