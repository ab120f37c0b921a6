import Platform

/// What a rollback to a backup puts into the tree: the backup, and of what only later operations changed the state before them.
///
/// Every change backs up all the names at the top that it changes. So a name that the backup does not hold was not changed until
/// the first later backup that holds it, which therefore has it as it was at the time of the one that was chosen.
package struct Restoration {
    /// The backup that was chosen.
    let backup: Backup
    /// The names at the top that are replaced.
    let units: [String]
    /// Where their content is.
    let layers: [(root: String, entries: [Entry])]
    /// What comes from later backups: their names, with the units.
    let additions: [String]
    /// Why a later backup could not be taken into account.
    let faults: [String]

    /// The hash over the units when it is done.
    var hash: String { Scan.treeHash(layers.flatMap(\.entries)) }

    /// Looks through all later backups, safety backups too.
    package init(of chosen: Backup, in store: BackupStore) {
        backup = chosen
        var units = chosen.manifest.units
        var layers = [(root: "\(chosen.path)/files", entries: chosen.manifest.entries)]
        var additions: [String] = []
        var faults: [String] = []
        for name in store.names(after: chosen) {
            do {
                let later = try store.verified(at: store.path(of: name))
                let more = later.manifest.units.filter { !units.contains($0) }
                guard !more.isEmpty else { continue }
                units += more
                let entries = later.manifest.entries.filter { entry in
                    more.contains { entry.path == $0 || entry.path.hasPrefix("\($0)/") }
                }
                layers.append((root: "\(later.path)/files", entries: entries))
                additions.append("\(more.joined(separator: ", ")) from \(name)")
            } catch { faults.append(error.description) }
        }
        self.units = units.sorted()
        self.layers = layers
        self.additions = additions
        self.faults = faults
    }

    /// The newest whole backup that a rollback would change the tree with. What a rollback put aside is not meant by this.
    /// - Returns: nil when the tree is already what the newest one holds, and no older one differs.
    /// - Throws: `DeploymentError` when no backup is whole, or only damaged ones could differ.
    static func latest(in store: BackupStore) throws(DeploymentError) -> Restoration? {
        let newest = try store.latest()
        let damaged = store.names(after: newest)
        for name in store.names().dropLast(damaged.count).reversed() {
            guard let backup = try? store.verified(at: store.path(of: name)), backup.manifest.kind != .safety
            else { continue }
            let restoration = Restoration(of: backup, in: store)
            if try restoration.hash != TreeChange(tree: store.tree).hash(restoration.units) { return restoration }
        }
        // The tree may differ from a newer one that is damaged, so it cannot be said that there is nothing to do.
        for name in damaged { _ = try store.verified(at: store.path(of: name)) }
        return nil
    }
}
