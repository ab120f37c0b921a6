import Evidence
import Gate
import Platform
import Scenarios
import Topologies

/// When a step has waited for long enough, or what it waits for cannot come.
extension TrialLoop {
    /// Why what a step waits for is waited for no longer.
    enum WaitEnd {
        /// The step's time is over.
        case deadline
        /// The trial's is.
        case limit
        /// It cannot come any more: so many threads wait for each other.
        case standstill(threads: Int)
    }

    /// Ends a step that has waited for long enough.
    func giveUp(_ progress: StepProgress, _ now: Int64, _ end: WaitEnd) {
        let step = plan.scenario.steps[progress.index]
        let waited = now - progress.began
        var (name, standstill) = (step.name, Int?.none)
        switch end {
        case .deadline: break
        case .limit: name = plan.scenario.waitsForEnd(step) ? "trial" : name
        case .standstill(let threads): standstill = threads
        }
        var hang = Hang(step: name, waited: waited, waitingFor: [], detail: "", standstill: standstill)
        var processes: [TrackedProcess] = []
        switch step.action {
        case .start, .wait(.reached), .wait(.log), .wait(.port), .wait(.socket):
            guard let missing = missing(progress) else { return finishStep(progress, .done(nil)) }
            processes = missing.owners.filter { !$0.hasExited }
            hang.missing = missing.name
            hang.detail = missing.isOfTarget ? "\(missing.name)\(processes.first.map(lastLines) ?? "")" : missing.name
        case .wait(.exit(let roles)), .stop(let roles, _):
            processes = gate.table.live(roles)
            hang.detail = "the exit of '\(roles)'"
        case .run, .deployment, .signal:
            processes = progress.command.map { gate.table.live(RolePattern($0)) } ?? []
            hang.detail = "the end of the command"
        }
        hang.waitingFor = processes.map(\.subject)
        hang.births = gate.table.all.count - progress.processesBefore
        examine(hang, since: progress.use)
    }
}
