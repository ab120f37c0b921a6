import Glibc
import Platform
import SystemPackage

/// What can be known of disks, mounts and owners before anything is touched: what would stop a change half-way is found while the
/// service still runs.
extension Preflight {
    /// What a change does with the names at the top of a tree.
    struct Extent {
        /// The names.
        var units: [String]
        /// What is laid over them; nil where nothing is, or where it is as large as what is there.
        var release: String?
        /// Whether they are staged and exchanged, not only backed up.
        var isChange = true
    }

    // MARK: space

    /// Whether staging, backup, journal and reports fit: bytes and files, on each disk that gets them.
    func disk(_ extent: Extent, name: String = "disk", leastGB: Double = 0) -> Check {
        let backups = Self.existing(tree.backups)
        do {
            let (room, other) = (try Files.room(tree.directory), try Files.room(backups))
            let present = try Survey(of: tree.root, units: extent.units, block: other.block)
            var need = (bytes: 16 * room.block, files: Int64(16))
            if extent.isChange {
                let staged = try staged(extent, room.block)
                need = (need.bytes + staged.bytes, need.files + staged.files)
            }
            // The manifest has a line or two for each.
            let backup = (bytes: present.bytes + 512 * present.files + 4 * other.block, files: present.files + 8)
            let isOne = try FileFacts(backups)?.device == FileFacts(tree.directory)?.device
            if isOne { need = (need.bytes + backup.bytes, need.files + backup.files) }
            need.bytes = max(need.bytes, Int64(leastGB * Double(1 << 30)))
            var found = [Self.fault(tree.directory, room, need)]
            if !isOne { found.append(Self.fault(backups, other, backup)) }
            let faults = found.compactMap(\.self)
            guard faults.isEmpty else { return Check(name, .failed, faults.joined(separator: "; ")) }
            return Check(name, .passed, "\(Self.shown(room.free)) are free, \(Self.shown(need.bytes)) are needed")
        } catch {
            return Check(
                name, .failed,
                "the file system of '\(tree.directory)' cannot be asked for its space, or the tree for its size: \(error)"
            )
        }
    }

    /// What the staged tree takes: the release, and of the tree what is not replaced by it.
    private func staged(_ extent: Extent, _ block: Int64) throws(Errno) -> (bytes: Int64, files: Int64) {
        guard let release = extent.release else {
            let all = try Survey(of: tree.root, units: extent.units, block: block)
            return (all.bytes, all.files)
        }
        let new = try Survey(of: release, units: extent.units, block: block, listing: true)
        let kept = try Survey(of: tree.root, units: extent.units, block: block, covered: new.paths)
        return (new.bytes + kept.bytes, new.files + kept.files)
    }

    private static func fault(
        _ path: String, _ room: (free: Int64, total: Int64, files: Int64?, block: Int64),
        _ need: (bytes: Int64, files: Int64)
    ) -> String? {
        if room.free < need.bytes {
            return
                "\(shown(room.free)) are free, \(shown(need.bytes)) are needed: make room on the disk of '\(path)', or remove old backups"
        }
        if let files = room.files, files < need.files {
            return
                "\(files) more files can be made (df -i), \(need.files) are needed: remove files on the disk of '\(path)', or old backups"
        }
        return nil
    }

    private static func shown(_ bytes: Int64) -> String {
        bytes == 0 || bytes >= 10 << 20 ? "\(bytes >> 20) MiB" : "\((bytes + 1023) >> 10) KiB"
    }

    /// The path, or what of it is there.
    private static func existing(_ path: String) -> String {
        var path = path
        while access(path, F_OK) != 0, path != "/", path != "." { path = Files.parent(of: path) }
        return path
    }

    /// Whether logs and reports can be written. Nothing depends on it.
    func logs() -> Check {
        let place = Self.existing(tree.logs)
        var fault: String?
        if access(place, W_OK) != 0 { fault = String(cString: strerror(errno)) }
        if let room = try? Files.room(place), room.free == 0 || room.files == 0 {
            fault = "\(Errno.noSpace)"
        }
        guard let fault else { return Check("logs", .passed, tree.logs) }
        return Check(
            "logs", .warning,
            "nothing can be written in '\(tree.logs)' (\(fault)): a change goes on without a log and a report, and what the service prints is lost; make room there, or give another LOG_DIR"
        )
    }

    // MARK: names

    /// Whether each name can be exchanged for what is staged, and what is replaced removed.
    func exchangeable(_ units: [String], writing: Bool) -> [Check] {
        let name = "names to be replaced"
        var faults: [String] = []
        var fixed = (first: [String](), count: 0)
        do {
            faults += try directories()
            for unit in units {
                if let fault = try fault(unit) {
                    faults.append(fault)
                    continue
                }
                let found = try Survey(of: tree.root, units: [unit], block: 512)
                for mount in found.mounts {
                    faults.append(
                        "something is mounted on '\(mount)' (findmnt), which the new release would not have: unmount it"
                    )
                }
                fixed = (Array((fixed.first + found.fixed.first).prefix(3)), fixed.count + found.fixed.count)
            }
        } catch { faults.append("look at '\(tree.root)': \(error)") }
        guard faults.isEmpty else { return [Check(name, .failed, faults.joined(separator: "; "))] }
        if writing, FileSystem.isOverlay(tree.root) { copyUp(units) }
        var checks = [Check(name, .passed, units.joined(separator: ", "))]
        if fixed.count > 0 {
            checks.append(
                Check(
                    "files to be removed", .warning,
                    "this user cannot remove \(fixed.first.map { "'\(Text.plain($0))'" }.joined(separator: ", "))\(fixed.count > fixed.first.count ? " and \(fixed.count - fixed.first.count) more" : "") (another user's, or chattr +i): a change leaves them in '\(tree.directory)' beside the tree; as root they can be removed at once"
                ))
        }
        return checks
    }

    /// Has an overlay copy up the files among the names: by that their numbers may change, which tell old from new later. To open one
    /// for writing is enough; nothing is written.
    private func copyUp(_ units: [String]) {
        for unit in units where (try? FileStatus("\(tree.root)/\(unit)"))?.kind == .file {
            _ = try? Files.open("\(tree.root)/\(unit)", flags: O_WRONLY | O_NOFOLLOW)
        }
    }

    /// Why no name of the tree can be exchanged for one of the deployment's directory.
    private func directories() throws(Errno) -> [String] {
        guard let root = try FileFacts(tree.root), let own = try FileFacts(tree.directory) else { return [] }
        var faults: [String] = []
        if let one = root.mount, let other = own.mount, one != other {
            faults.append(
                "'\(tree.directory)' is a mount of its own (findmnt), so nothing in it can be exchanged for what is in '\(tree.root)': unmount it, and give backups and logs other places by BACKUP_DIR and LOG_DIR"
            )
        }
        for (path, facts) in [(tree.root, root), (tree.directory, own)] where facts.isImmutable {
            faults.append("'\(path)' cannot be changed: chattr -i -a '\(path)'")
        }
        return faults
    }

    /// Why one name cannot be exchanged; nil when it can, as far as that can be known.
    private func fault(_ unit: String) throws(Errno) -> String? {
        let path = "\(tree.root)/\(unit)"
        guard let facts = try FileFacts(path) else { return nil }
        if facts.isMount == true {
            return
                "something is mounted on '\(path)' (findmnt), so it cannot be exchanged: unmount it, and put its content there"
        }
        if facts.isImmutable { return "'\(path)' cannot be renamed: chattr -i -a '\(path)'" }
        guard facts.isDirectory else { return nil }
        // A directory that goes to another one has its '..' changed.
        if access(path, W_OK) != 0 {
            return
                "'\(path)' belongs to user \(facts.user) and cannot be written by this one, so it cannot be exchanged: chown it, or deploy as root"
        }
        guard FileSystem.isOverlay(tree.root) else { return nil }
        // Harmless on an overlay: the deployment's directory is not empty, so nothing can take its place, and that is looked at after
        // whether the directory can be renamed at all.
        do { try Files.rename(path, tree.directory) } catch {
            guard error == .improperLink || error == .resourceBusy else { return nil }
            return
                "'\(path)' is in a lower layer of an overlay and cannot be renamed (\(error)): copy it up ('cp -a' to a new name, remove it, rename the copy), mount the overlay with redirect_dir=on, or put the tree on a volume"
        }
        return nil
    }

    /// Whether this file system can exchange two names in one step: tried out where something may be written.
    func exchange(writing: Bool) -> Check {
        let name = "atomic exchange"
        let remedy = "a deployment needs renameat2(RENAME_EXCHANGE), which ext4, xfs, btrfs and tmpfs have"
        guard writing else {
            switch FileSystem.exchanges(tree.directory) {
            case true?: return Check(name, .passed, "the tree's file system has renameat2(RENAME_EXCHANGE)")
            case false?: return Check(name, .failed, "the file system of '\(tree.directory)' has none: \(remedy)")
            case nil: return Check(name, .skipped, "tried out when a change begins: nothing is written now")
            }
        }
        let one = "\(tree.directory)/.exchange-a"
        let other = "\(tree.directory)/.exchange-b"
        defer {
            try? Files.removeTree(one)
            try? Files.removeTree(other)
        }
        do {
            try Files.removeTree(one)
            try Files.removeTree(other)
            try Files.makeDirectory(one, mode: 0o700)
            try Files.makeDirectory(other, mode: 0o700)
            try Files.exchange(one, other)
            return Check(name, .passed, "renameat2(RENAME_EXCHANGE) works on the tree's file system")
        } catch {
            return Check(
                name, .failed,
                "exchange two directories in '\(tree.directory)': \(error)\(Copying.remedy(error)); \(remedy)")
        }
    }
}
