import Checkers
import Evidence
import Foundation
public import Platform
import Scenarios
import Topologies

/// Runs one trial from start to verdict.
public enum Trial {
    /// Runs a trial on the calling thread, which it blocks until every process of the trial is gone.
    /// - Parameter waker: wakes the trial to interrupt it.
    /// - Returns: its result. What the harness could not do is part of the judgement (`inconclusive`), never an error.
    public static func run(_ plan: TrialPlan, waker: Waker) -> TrialResult {
        let start = Clock.now()
        var file: FileHandle?
        var troubles: [String] = []
        if let path = plan.ledger {
            if FileManager.default.createFile(atPath: path, contents: nil) {
                file = FileHandle(forWritingAtPath: path)
            }
            if file == nil {
                troubles.append("write the ledger '\(path)': is the directory there, and is there space?")
            }
        }
        let ledger = LedgerWriter(to: file, limit: plan.scenario.limits.records)
        ledger.append(
            .trial(
                Header(
                    trial: plan.number, seed: plan.seed, scenario: plan.scenario, target: plan.target,
                    release: plan.release, control: plan.control, isWarm: plan.warm == nil ? nil : true)),
            time: 0)
        // Whatever ends Fracas, what the trial was of is known.
        ledger.flush()
        do {
            let loop = try TrialLoop(plan, ledger: ledger, waker: waker)
            loop.run()
            loop.end()
        } catch { troubles.append("\(error)") }
        for trouble in troubles { ledger.append(.trouble(Trouble(message: trouble)), time: Clock.now() - start) }
        if !troubles.isEmpty { ledger.append(.end(End(reason: .failed)), time: Clock.now() - start) }
        ledger.flush()
        var judgement = Judge.judge(ledger.records)
        if let failure = ledger.failure {
            judgement.problems.append(failure)
            if judgement.verdict == .held { judgement.verdict = .inconclusive }
        }
        // What tells something outlives a loss of power too. Of what held there is as much again.
        if judgement.verdict != .held { try? file?.synchronize() }
        try? file?.close()
        return TrialResult(
            number: plan.number, scenario: plan.scenario.name, seed: plan.seed, judgement: judgement,
            duration: .nanoseconds(Clock.now() - start), ledger: plan.ledger, faultsFired: fired(in: ledger.records),
            wasInterrupted: ledger.records.contains { $0.event == .end(End(reason: .interrupted)) },
            records: ledger.records)
    }

    private static func fired(in records: [Record]) -> Int {
        records.count { record in
            guard case .fault(let injection) = record.event else { return false }
            return injection.failure == nil
        }
    }
}
