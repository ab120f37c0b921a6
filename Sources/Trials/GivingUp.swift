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

    /// The most that a deadline is put off, in terms of what the step says.
    private static let mostPutOff: Int64 = 16

    /// What the processes have used of the processors so far, by their ids in our own pid namespace.
    func useOfProcessors() -> [Int32: ProcessorUse] {
        var use: [Int32: ProcessorUse] = [:]
        for process in gate.table.all where !process.hasExited {
            use[process.hostPid] = ProcessorUse(of: process.hostPid)
        }
        return use
    }

    /// Until when a step is waited for longer; nil when its processes had what they needed.
    func laterDeadline(_ progress: StepProgress, _ now: Int64) -> Int64? {
        let within = plan.scenario.steps[progress.index].within.nanoseconds
        return later(than: within, began: progress.began, progress.use, now)
    }

    /// Likewise of what outlives the last step.
    func laterEnding(_ now: Int64) -> Int64? {
        let within = plan.scenario.limits.orphanGrace.nanoseconds
        guard now < start + plan.scenario.limits.trial.nanoseconds else { return nil }
        return later(than: within, began: ending.began, ending.use, now)
    }

    /// A deadline is put off where processes were ready to run and had no processor for a good part of the time, and while the kernel is
    /// still ending one. A trial that had most of a processor has kept itself from running.
    private func later(
        than within: Int64, began: Int64, _ use: [Int32: ProcessorUse], _ now: Int64
    ) -> Int64? {
        let waited = now - began
        var (ran, queued): (Int64, Int64) = (0, 0)
        for process in gate.table.all where !process.hasExited {
            let use = ProcessorUse(of: process.hostPid).since(use[process.hostPid])
            ran += use.ran
            queued = max(queued, use.queued)
        }
        var later: Int64 = 0
        if queued >= waited / 4, ran < waited / 4 * 3 { later = began + within + queued }
        if gate.table.all.contains(where: { Activity.isBeingEnded($0, in: gate.table) }) {
            later = max(later, now + within / 4)
        }
        later = min(later, began + Self.mostPutOff * within)
        return later > now ? later : nil
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
            hang.detail = missing.name
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
