public import Evidence
import Scenarios

/// A ledger with what checkers look up in it. What comes after the `autopsy` record describes and never accuses, so it is
/// kept apart.
public struct History: Sendable {
    /// What was tried.
    public let header: Header
    /// Every record.
    public let records: [Record]
    /// The records before the harness itself began to interfere.
    public let observed: ArraySlice<Record>
    /// The records after that.
    public let afterwards: ArraySlice<Record>
    /// Signals that steps and faults sent, by the process they were sent to.
    let signalsSent: [Int32: Set<Signal>]

    /// A history; nil when the records do not begin with a header this version reads.
    public init?(_ records: [Record]) {
        guard case .trial(let header)? = records.first?.event, header.format == Header.currentFormat else { return nil }
        self.header = header
        self.records = records
        let cut = records.firstIndex { $0.event == .autopsy } ?? records.endIndex
        observed = records[..<cut]
        afterwards = records[cut...]
        signalsSent = Self.signals(records[..<cut])
    }

    private static func signals(_ records: ArraySlice<Record>) -> [Int32: Set<Signal>] {
        var sent: [Int32: Set<Signal>] = [:]
        for record in records {
            switch record.event {
            case .signal(let signal): sent[signal.subject.pid, default: []].insert(signal.signal)
            case .fault(let injection):
                guard injection.failure == nil, let signal = Signal(parsing: injection.action) else { continue }
                for target in injection.targets { sent[target.pid, default: []].insert(signal) }
            default: break
            }
        }
        return sent
    }

    /// Each exit that was observed, with its place in the ledger.
    var exits: [(seq: Int, exit: Exit)] {
        observed.compactMap { record in
            guard case .exit(let exit) = record.event else { return nil }
            return (record.seq, exit)
        }
    }

    /// Each line that was observed.
    var lines: [(seq: Int, line: Line)] {
        observed.compactMap { record in
            guard case .line(let line) = record.event else { return nil }
            return (record.seq, line)
        }
    }

    /// Processes that a fault or step killed, or tried to end, by a signal.
    func wasSentFatalSignal(_ pid: Int32) -> Bool {
        signalsSent[pid]?.contains { ![Signal.stop, Signal.resume].contains($0) } ?? false
    }

    /// A role without its indices, for signatures: `node.runner`.
    static func general(_ role: Role?) -> String {
        role.map { $0.segments.map(\.name).joined(separator: ".") } ?? "a process without a role"
    }

    /// A subject for people: `node[0].runner[1] (pid 12)`.
    static func name(_ subject: Subject) -> String {
        subject.role.map { "\($0) (pid \(subject.pid))" } ?? "pid \(subject.pid)"
    }
}
