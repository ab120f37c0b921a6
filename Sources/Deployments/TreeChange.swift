import Foundation
import Glibc
import Platform

/// Changing a tree from one release to another so that at every instant each of its top directories is wholly the old or wholly
/// the new one, and after recovery all of them are the same.
///
/// The new directories are put together beside the tree on the same file system, and then exchanged with those of the tree by
/// `renameat2(2)` with `RENAME_EXCHANGE`: one system call for each name at the top. A release that changes `src` alone has one
/// such call, and it is the commit. Where there are several the journal says what belongs together. Renames of single files
/// would be as many moments at which the tree is neither, and what a reader opens meanwhile would be torn.
package struct TreeChange {
    let tree: DeploymentTree

    /// Which release a name at the top shows.
    package enum Side { case before, after }

    package init(tree: DeploymentTree) { self.tree = tree }

    // MARK: staging

    /// Puts the new directories together beside the tree: the tree's own entries with others laid over them, or a backup's.
    /// - Parameter sources: where each entry's content is; later ones go over earlier ones.
    /// - Returns: the units with the numbers of what is and what will be, and all entries there will be.
    package func stage(_ units: [String], _ sources: [(root: String, entries: [Entry])]) throws(DeploymentError) -> (
        [Journal.Unit], [Entry]
    ) {
        let directory: Descriptor
        do {
            try Files.removeTree(tree.staging)
            try Files.makeDirectory(tree.staging, mode: 0o700)
            directory = try Files.open(tree.staging, flags: O_RDONLY | O_DIRECTORY)
        } catch { throw DeploymentError(.files, "make '\(tree.staging)': \(error)\(Copying.remedy(error))") }
        let merged = try Self.merge(sources.map(\.entries))
        let paths = sources.map { Set($0.entries.map(\.path)) }
        let stale = Self.stale(sources.map(\.entries))
        var copied: [Entry] = []
        for (index, source) in sources.enumerated() {
            // A directory is made for the first layer that has it, a file is copied from the last.
            let own = merged.filter { entry in
                if stale.contains(entry.path) { return false }
                let layer =
                    entry.kind == .directory
                    ? paths.firstIndex { $0.contains(entry.path) } : paths.lastIndex { $0.contains(entry.path) }
                return layer == index
            }
            copied += try Copying.copy(own, from: source.root, to: tree.staging, keepOwner: true, mode: { $0.mode })
        }
        copied.sort { $0.path < $1.path }
        try Copying.sync(copied, in: directory, tree.staging)
        let written = try Scan.entries(of: tree.staging, units: units, in: .others(tree.root), anew: true)
        guard written.elementsEqual(copied, by: Self.isSame) else {
            let name = zip(written, copied).first { !Self.isSame($0, $1) }?.1.path ?? ""
            throw DeploymentError(
                .files,
                "what was written to '\(tree.staging)' is read back differently ('\(name)'): the release was changed while it was copied, or the disk is bad"
            )
        }
        do {
            try Files.sync(directory: tree.staging)
            try Files.sync(directory: tree.directory)
        } catch { throw DeploymentError(.files, "write '\(tree.staging)' to disk: \(error)\(Copying.remedy(error))") }
        return (try units.map(identify), copied)
    }

    /// Whether what is read back is what was written.
    private static func isSame(_ one: Entry, _ other: Entry) -> Bool {
        one.path == other.path && one.kind == other.kind && one.mode == other.mode && one.sha256 == other.sha256
            && one.target == other.target && one.attributes == other.attributes
    }

    /// Compiled modules whose source a later layer changes. A cache is told to be of a source by the second and the length of that,
    /// or not at all (PEP 552), so what the old source was compiled to could run in place of the new one.
    static func stale(_ layers: [[Entry]]) -> Set<String> {
        var below: [String: Entry] = [:]
        var stale: Set<String> = []
        for layer in layers {
            let own = Set(layer.lazy.map(\.path))
            let changed = layer.filter { entry in
                entry.kind == .file && entry.path.hasSuffix(".py")
                    && below[entry.path].map { $0.sha256 != entry.sha256 } == true
            }
            let modules = Set(changed.map { String($0.path.dropLast(3)) })
            if !modules.isEmpty {
                for path in below.keys where path.hasSuffix(".pyc") && !own.contains(path) {
                    let parts = path.split(separator: "/")
                    guard parts.count > 1, parts[parts.count - 2] == "__pycache__",
                        let name = parts[parts.count - 1].split(separator: ".").first
                    else { continue }
                    let module = (parts.dropLast(2) + [name]).joined(separator: "/")
                    if modules.contains(module) { stale.insert(path) }
                }
            }
            stale.subtract(own)
            for entry in layer { below[entry.path] = entry }
        }
        return stale
    }

    private func identify(_ name: String) throws(DeploymentError) -> Journal.Unit {
        do {
            let before = try FileStatus("\(tree.root)/\(name)")
            let after = try FileStatus("\(tree.staging)/\(name)")
            if before?.kind == .link || before?.kind == .special {
                throw DeploymentError(
                    .files, "'\(tree.root)/\(name)' is a link or special: put a directory in its place")
            }
            // An overlay gives each of its layers a number; whether a name can be exchanged there was tried before.
            if let before, let after, before.device != after.device, !FileSystem.isOverlay(tree.root) {
                throw DeploymentError(
                    .environment,
                    "'\(tree.root)/\(name)' is on another file system than '\(tree.staging)', so they cannot be exchanged: put the tree on one"
                )
            }
            return Journal.Unit(name: name, before: before?.inode, after: after?.inode)
        } catch let error as DeploymentError { throw error } catch {
            throw DeploymentError(.files, "look at '\(tree.root)/\(name)': \(error)")
        }
    }

    /// What there is when one list of entries is laid over another.
    /// - Throws: `DeploymentError` where a file would have to be a directory at the same time.
    static func merge(_ layers: [[Entry]]) throws(DeploymentError) -> [Entry] {
        var all: [String: Entry] = [:]
        for layer in layers {
            for entry in layer {
                if let below = all[entry.path], (below.kind == .directory) != (entry.kind == .directory) {
                    throw DeploymentError(
                        .environment,
                        "'\(entry.path)' is a \(below.kind.rawValue) in the tree and a \(entry.kind.rawValue) in the release: remove it from one of them"
                    )
                }
                all[entry.path] = entry
            }
        }
        return all.values.sorted { $0.path < $1.path }
    }

    // MARK: exchanging

    /// Which side a unit is on, as the tree itself shows it.
    /// - Throws: `DeploymentError` when it is neither: someone else has put something there.
    func side(of unit: Journal.Unit) throws(DeploymentError) -> Side {
        let now: UInt64?
        do { now = try FileStatus("\(tree.root)/\(unit.name)")?.inode } catch {
            throw DeploymentError(.files, "look at '\(tree.root)/\(unit.name)': \(error)")
        }
        if now == unit.before { return .before }
        if now == unit.after { return .after }
        throw DeploymentError(
            .unsettled,
            "'\(tree.root)/\(unit.name)' is neither what the unfinished operation found nor what it put there: someone else replaced it; compare it with '\(tree.staging)/\(unit.name)' and the newest backup, then remove '\(tree.journal)'"
        )
    }

    /// Brings every unit to one side. Whatever is there already stays, so it can be called again from anywhere.
    package func move(_ units: [Journal.Unit], to wanted: Side) throws(DeploymentError) {
        for unit in units where unit.before != unit.after {
            guard try side(of: unit) != wanted else { continue }
            let live = "\(tree.root)/\(unit.name)"
            let staged = "\(tree.staging)/\(unit.name)"
            let there = wanted == .after ? unit.after : unit.before
            let here = wanted == .after ? unit.before : unit.after
            var failure: (any Error)?
            do {
                switch (here, there) {
                case (.some, .some): try Files.exchange(live, staged)
                case (.some, nil): try Files.renameNew(live, staged)
                default: try Files.renameNew(staged, live)
                }
            } catch { failure = error }
            // Whatever the call answered, what counts is what came of it.
            guard try side(of: unit) == wanted else {
                throw DeploymentError(
                    .files, "exchange '\(live)' and '\(staged)': \(failure.map { "\($0)" } ?? "nothing came of it")")
            }
        }
        do {
            try Files.sync(directory: tree.root)
            // It may be half removed already, when what is called again had come that far.
            if try FileStatus(tree.staging) != nil { try Files.sync(directory: tree.staging) }
        } catch {
            throw DeploymentError(.files, "write the names in '\(tree.root)' to disk: \(error)\(Copying.remedy(error))")
        }
    }

    /// Whether any unit is already on the new side.
    package func hasBegun(_ units: [Journal.Unit]) throws(DeploymentError) -> Bool {
        for unit in units where unit.before != unit.after { if try side(of: unit) == .after { return true } }
        return false
    }

    /// The hash over the tree's units as they are now.
    package func hash(_ units: [String]) throws(DeploymentError) -> String {
        Scan.treeHash(try Scan.entries(of: tree.root, units: units))
    }
}
