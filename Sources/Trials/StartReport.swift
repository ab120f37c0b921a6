import Evidence
import Gate
import Scenarios
import Topologies

/// Why a topology does not stand, or a command did not do its work, for people: who it was, how it ended, what it printed last.
extension TrialLoop {
    /// What is said of a process that has ended, with the reason why that was wrong.
    func wrongEnd(of process: TrackedProcess, _ why: String) -> String {
        let name = process.role?.description ?? "process \(process.pid)"
        let how = status(of: process).map { "with \($0)" } ?? "in a way that is not known"
        return "\(name) ended \(how)\(why)\(lastLines(of: process))"
    }

    /// What a process printed last, as a sentence's end.
    func lastLines(of process: TrackedProcess) -> String {
        LastLines.text(LastLines.of(process.subject, in: ledger.records))
    }

    /// Which processes of a start are not ready, as a sentence's end.
    func unready(of roles: RolePattern?) -> String {
        let missing = plan.scenario.topology.processes.compactMap { process -> String? in
            guard roles?.matches(process.role) ?? true else { return nil }
            guard let one = gate.table.all.last(where: { $0.role == process.role }) else {
                return "\(process.role) was not started"
            }
            switch process.ready {
            case .log(let pattern) where lines.count(of: pattern, role: process.role) == 0:
                return "\(process.role) never printed /\(pattern)/\(lastLines(of: one))"
            case .exit where !one.hasExited: return "\(process.role) has not ended\(lastLines(of: one))"
            case nil, .exit, .log: return nil
            }
        }
        return missing.first.map { ": \($0)" } ?? ""
    }
}
