import Foundation
import Glibc
import Platform
import SystemPackage

/// The write-ahead journal of one change: what is about to happen is on the disk before it happens.
///
/// The file is there from before the first change until after the last, and is replaced as a whole. Its phase decides what
/// whoever finds it does: before `accepted` the change is undone, from then on it is completed. Space for all that is still to be
/// written to it is taken before the first change: a disk that runs full meanwhile keeps no phase from being written down.
package struct Journal: Codable, Sendable {
    /// How far the change has come.
    package enum Phase: String, Codable, Sendable {
        /// A backup is made and the new entries are put together beside the tree, which is untouched.
        case preparing
        /// Everything is beside the tree, on the disk; its names may be exchanged at any moment from now on.
        case staged
        /// The new tree has proven itself; what it replaced may be removed.
        case accepted
    }

    /// A name at the top of the tree: what it is before and after, by the numbers the file system gives them. A rename keeps the
    /// number, so that after a crash the tree itself says on which side of the exchange it is.
    package struct Unit: Codable, Sendable, Equatable {
        var name: String
        /// nil: there was none.
        var before: UInt64?
        /// nil: there will be none.
        var after: UInt64?
    }

    var version = 1
    /// `deploy` or `rollback`.
    var operation: String
    /// The time it began, as logs are named.
    var id: String
    package var phase = Phase.preparing
    var units: [Unit] = []
    /// The hash over all units before and after.
    var before = ""
    var after = ""
    /// The backup of what was before, and of a rollback also the one that is restored.
    var backups: [String] = []
    /// Whether the service ran when the change began: then it runs when it is settled.
    var serviceRan = false
    /// Who started and stopped the service, as `ServiceManager.name` says it; nil in journals of earlier versions.
    var manager: String?
    /// Whether INSTALL_COMMAND was begun for what was exchanged: then the way back installs again, however often it is broken off
    /// itself; nil in journals of earlier versions.
    var hasInstalled: Bool?
    /// What was deployed before, for the record of what is.
    var release = ""

    package init(operation: String, id: String) {
        self.operation = operation
        self.id = id
        hasInstalled = false
    }

    /// The journal of a tree; nil when nothing is unfinished.
    /// - Throws: `DeploymentError` when it cannot be read: then nobody may touch the tree.
    package static func load(_ tree: DeploymentTree) throws(DeploymentError) -> Journal? {
        let bytes: [UInt8]
        do {
            bytes = try Files.open(tree.journal, flags: O_RDONLY | O_NOFOLLOW).readAll()
        } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw DeploymentError(.files, "read the journal '\(tree.journal)': \(error)")
        }
        guard let journal = try? JSONDecoder().decode(Journal.self, from: Data(bytes)), journal.version == 1,
            journal.units.allSatisfy({ !$0.name.contains("/") && !DeploymentTree.reserved.contains($0.name) })
        else {
            throw DeploymentError(
                .damaged,
                "the journal '\(tree.journal)' cannot be understood, so nothing is touched: see 'fracas doctor --deployment', compare the tree with '\(tree.staging)', then remove both"
            )
        }
        return journal
    }

    /// Whether one is there, readable or not.
    static func exists(_ tree: DeploymentTree) -> Bool {
        do { return try FileStatus(tree.journal) != nil } catch { return true }
    }

    private static func file(_ tree: DeploymentTree) -> SpareFile {
        SpareFile(path: tree.journal, spare: tree.journal + ".new", mode: 0o640)
    }

    /// Brings it to the disk for the first time, with space for what it will have to say.
    func begin(_ tree: DeploymentTree, units: [String]) throws(DeploymentError) {
        let longest = units.map { 160 + 6 * $0.utf8.count }.reduce(0, +)
        let most = try Text.json(self).count + longest + 1024
        do {
            try Self.file(tree).prepare(for: most)
            try save(tree)
            try Self.file(tree).prepare(for: most)
        } catch let error as DeploymentError { throw error } catch { throw Self.failure(tree, error) }
    }

    /// Brings it to the disk.
    package func save(_ tree: DeploymentTree) throws(DeploymentError) {
        let text = try Text.json(self)
        do { try Self.file(tree).replace(text) } catch { throw Self.failure(tree, error) }
    }

    private static func failure(_ tree: DeploymentTree, _ error: any Error) -> DeploymentError {
        DeploymentError(.files, "write the journal '\(tree.journal)': \(error)\(Copying.remedy(error))")
    }

    /// Ends it: the change is settled.
    static func remove(_ tree: DeploymentTree) throws(DeploymentError) {
        do { try file(tree).remove() } catch {
            // Whatever failed, what counts is whether the next command finds it. (One that a crash brings back is settled once more.)
            guard exists(tree) else { return }
            throw DeploymentError(.files, "remove the journal '\(tree.journal)': \(error)")
        }
    }
}
