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
}
