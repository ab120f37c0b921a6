import Evidence
import Scenarios

/// A signal that a fault or a step sent.
struct SentSignal {
    let pid: Int32
    let signal: Signal
    let seq: Int
    /// Whether a fault did; a step of a scenario otherwise.
    let isByFault: Bool
}

/// The end of a process that Fracas brought about and that the process could do nothing about.
struct Kill {
    let pid: Int32
    let role: Role?
    /// The record that tells of it.
    let seq: Int
    /// Whether a fault did it. A scenario whose own step kills asks what comes of that: then nothing of it is excused by default.
    let isByFault: Bool

    static func all(_ exits: [(seq: Int, exit: Exit)], _ sent: [SentSignal]) -> [Kill] {
        exits.compactMap { _, exit in
            guard case .signal(let signal)? = exit.status, !signal.canBeCaught,
                let first = sent.first(where: { $0.pid == exit.subject.pid && $0.signal == signal })
            else { return nil }
            return Kill(pid: exit.subject.pid, role: exit.subject.role, seq: first.seq, isByFault: first.isByFault)
        }
    }
}

/// What a kill makes inevitable: whoever is told of nothing cannot be accused of not having noticed.
extension History {
    static func sent(_ records: ArraySlice<Record>) -> [SentSignal] {
        records.flatMap { record -> [SentSignal] in
            switch record.event {
            case .signal(let sent):
                [SentSignal(pid: sent.subject.pid, signal: sent.signal, seq: record.seq, isByFault: false)]
            case .fault(let injection):
                if injection.failure == nil, let signal = signal(of: injection) {
                    injection.targets.map { SentSignal(pid: $0.pid, signal: signal, seq: record.seq, isByFault: true) }
                } else {
                    []
                }
            default: []
            }
        }
    }

    static func parents(_ records: ArraySlice<Record>) -> [Int32: Int32] {
        var parents: [Int32: Int32] = [:]
        for record in records {
            // Whoever runs a new program may have been given to init by then: what counts is whose child it was born.
            guard case .process(let birth) = record.event, parents[birth.subject.pid] == nil else { continue }
            parents[birth.subject.pid] = birth.parent
        }
        return parents
    }

    /// Whether a process above this one was killed: its parent, or one further up.
    func isBelowKilled(_ subject: Subject) -> Bool {
        let excusing = kills.filter(\.isByFault)
        let killed = Set(excusing.map(\.pid))
        var above = parents[subject.pid]
        for _ in 0..<Self.mostLevels {
            guard let pid = above, pid > 1 else { break }
            if killed.contains(pid) { return true }
            above = parents[pid]
        }
        let roles = Set(excusing.compactMap(\.role))
        return subject.role?.ancestors.contains(where: roles.contains) ?? false
    }

    /// More processes above each other there are not, unless an id was used twice.
    private static let mostLevels = 64

    /// Whether a process was killed before this record that was started by Fracas itself: nobody is above it who could tidy up.
    func wasTopKilled(before seq: Int) -> Bool {
        kills.contains { $0.isByFault && $0.seq < seq && $0.role?.segments.count == 1 }
    }

    /// The rules that apply to what was observed at this record: a process that they are about had been killed by then.
    func killedRules(at seq: Int) -> [Expectations.WhenKilled] {
        header.scenario.expect.whenKilled.filter { rule in
            kills.contains { $0.seq < seq && ($0.role.map(rule.roles.matches) ?? false) }
        }
    }

    /// Whether a process may outlive the topology, as far as its role says so.
    func mayOutlive(_ subject: Subject) -> Bool {
        if expect.orphansAllowed { return true }
        guard let role = subject.role else { return false }
        return expect.orphansAllowedOf?.contains { $0.matches(role) } ?? false
    }

    /// Whether any may.
    var mayBeOutlived: Bool { expect.orphansAllowed || expect.orphansAllowedOf != nil }

    /// Whether a signal came to a process that had already called `exit_group(2)`: it had no handler left, and had said how it ends.
    func cameAtExit(_ signal: Signal, to pid: Int32) -> Bool {
        let exit = observed.first { record in
            guard case .holdings(let holdings) = record.event else { return false }
            return holdings.subject.pid == pid
        }
        guard let exit else { return false }
        return sent.contains { $0.pid == pid && $0.signal == signal && $0.seq > exit.seq }
    }
}

extension Expectations {
    /// With what may stay besides when processes of these roles were killed.
    func allowing(_ killed: [Role]) -> Expectations {
        var expect = self
        for rule in whenKilled.reversed() where killed.contains(where: rule.roles.matches) {
            expect.leaks.sharedMemory += rule.sharedMemory
            expect.leaks.temporary += rule.temporary
            expect.leaks.ports += rule.ports ?? []
            if rule.orphansAllowed == true { expect.orphansAllowed = true }
            if let roles = rule.orphans { expect.orphansAllowedOf = (expect.orphansAllowedOf ?? []) + roles }
            if !(rule.sharedMemory + rule.temporary).isEmpty { expect.leaks.areSaid = true }
        }
        return expect
    }
}
