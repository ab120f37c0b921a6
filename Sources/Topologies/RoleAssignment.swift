import Platform
import Scenarios

/// Which role a process gets: the topology's rules for children, with indices in the order of birth.
extension ProcessTable {
    func assignRole(to process: TrackedProcess, command: String) {
        let before = process.role
        process.role = nil
        generation += 1
        defer { if process.role != nil || before != nil { roleChanges += 1 } }
        guard let parent = nearestRole(above: process.parent),
            rules.contains(where: { $0.rule.parent.matches(parent) })
        else {
            promises[process.hostPid] = nil
            return
        }
        settleElders(of: process, parent)
        let promised = promises.removeValue(forKey: process.hostPid) ?? before
        guard let kind = kind(under: parent, process.start, command) else {
            // A program that no rule is for does not make another of whoever had a role with a program of its own. That of a mere fork
            // was its parent's program's.
            if let before, process.hasRoleOfProgram, isAny(before, under: parent) { process.role = before }
            return
        }
        let keeps = promised.map { $0.ancestors.first == parent && $0.segments.last?.name == kind } ?? false
        process.role = keeps ? promised : take(kind, under: parent)
        process.hasRoleOfProgram = process.start == .spawn
    }

    /// Gives their numbers to siblings that are older but have not shown themselves yet: indices follow the order of birth,
    /// whichever process the host's scheduler lets run first. An older one that then becomes something else leaves a gap.
    private func settleElders(of process: TrackedProcess, _ parent: Role) {
        guard let owner = byPid[process.parent], owner.pid != process.pid else { return }
        promise(Self.children(of: owner.hostPid).filter { $0 != process.hostPid }, before: process.pid, under: parent)
    }

    /// Promises roles to those of these children, by their ids in our own pid namespace, that have not shown themselves yet.
    func promise(_ children: [Int32], before youngest: Int32, under parent: Role) {
        let elders =
            children
            .filter { host in
                guard promises[host] == nil else { return false }
                return isUnseen(host) || byThread[host]?.programChange != nil
            }
            .compactMap { host in innerPid(of: host).map { (host, $0) } }
            .filter { $0.1 < youngest }
            .sorted { $0.1 < $1.1 }
        for (host, _) in elders {
            let known = isUnseen(host) ? nil : byThread[host]
            let command = known?.programChange?.command ?? Self.command(of: host)
            guard let kind = kind(under: parent, known == nil ? .fork : .spawn, command) else { continue }
            promises[host] = take(kind, under: parent)
        }
    }

    /// What the rules call a child that started so, with this command.
    private func kind(under parent: Role, _ start: Topology.Start, _ command: String) -> String? {
        for (rule, pattern) in rules where rule.parent.matches(parent) {
            guard rule.start == .any || rule.start == start else { continue }
            if let pattern, command.firstMatch(of: pattern) == nil { continue }
            return rule.name
        }
        return nil
    }

    /// Whether a role is one of a rule for children that may start in any way.
    private func isAny(_ role: Role, under parent: Role) -> Bool {
        role.ancestors.first == parent
            && rules.contains { rule, _ in
                rule.start == .any && rule.name == role.segments.last?.name && rule.parent.matches(parent)
            }
    }

    private func take(_ kind: String, under parent: Role) -> Role {
        let first = parent.child(kind, 0)
        let index = taken[first, default: 0]
        taken[first] = index + 1
        return parent.child(kind, index)
    }
}
