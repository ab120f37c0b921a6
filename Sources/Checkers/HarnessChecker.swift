import Evidence
import Scenarios

/// Whether the harness itself did its work: without that nothing is `held`.
public struct HarnessChecker: Checker {
    /// `harness`.
    public let name = "harness"

    /// What is said of a ledger without its last record.
    public static let cutShort = "the ledger has no end: the trial was cut short"

    /// Makes the checker.
    public init() {}

    /// Problems for lost evidence, failed steps, an incomplete ledger, and processes that never came to life.
    public func check(_ history: History) -> Findings {
        var findings = Findings()
        for (index, record) in history.records.enumerated() {
            if record.seq != index {
                findings.problems.append("the ledger has a gap: record \(index) is numbered \(record.seq)")
                break
            }
        }
        var hasInjected = false
        for record in history.records {
            switch record.event {
            case .fault(let injection) where injection.failure == nil: hasInjected = true
            case .step(let step) where step.state == .failed:
                let text = "step '\(step.name)' failed: \(step.detail ?? "no reason given")"
                if hasInjected || Self.waitsForPoint(step, history) {
                    findings.misses.append(text)
                } else {
                    findings.problems.append(text)
                }
            default: look(at: record.event, &findings.problems)
            }
        }
        guard case .end(let end)? = history.records.last?.event else {
            findings.problems.append(Self.cutShort)
            return findings
        }
        if end.reason == .interrupted { findings.problems.append(Excuse.interrupted) }
        if end.reason == .completed {
            if hasInjected {
                countChildren(history, &findings.misses)
            } else {
                countChildren(history, &findings.problems)
            }
            countCalls(history, &findings.problems)
        }
        return findings
    }

    private func look(at event: Event, _ problems: inout [String]) {
        switch event {
        case .trouble(let trouble): problems.append(trouble.message)
        case .lost(let loss):
            let whose = loss.subject.map { " of \(History.name($0))" } ?? ""
            problems.append("\(loss.count) \(loss.what == "output" ? "bytes of " : "")\(loss.what)\(whose) were lost")
        case .disturbed(let disturbance) where disturbance.kind == .ended: problems.append(Excuse.ended)
        case .census(let census) where census.decided != census.intercepted:
            problems.append("\(census.intercepted) calls were intercepted but \(census.decided) decided")
        default: break
        }
    }

    /// Every call that the kernel handed over is some process's: what the tallies leave out was lost.
    private func countCalls(_ history: History, _ problems: inout [String]) {
        var tallied = 0
        var intercepted = 0
        for record in history.records {
            switch record.event {
            // A damaged ledger may say anything: a sum that does not fit is no sum of what was intercepted.
            case .tally(let tally): for count in tally.calls.values { tallied = Self.sum(tallied, count) }
            case .census(let census): intercepted = census.intercepted
            default: break
            }
        }
        guard tallied != intercepted else { return }
        problems.append("\(intercepted) calls were intercepted but \(tallied) are accounted for")
    }

    /// Whether a step only waits for a place to be reached.
    private static func waitsForPoint(_ step: StepChange, _ history: History) -> Bool {
        let steps = history.header.scenario.steps
        guard steps.indices.contains(step.index), case .wait(.reached) = steps[step.index].action else { return false }
        return true
    }

    private static func sum(_ one: Int, _ other: Int) -> Int {
        let (sum, overflow) = one.addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    /// A scenario that says how many children a role makes has tested something else if they were fewer.
    private func countChildren(_ history: History, _ problems: inout [String]) {
        let scenario = history.header.scenario
        guard scenario.steps.contains(where: { if case .start(_, ready: true) = $0.action { true } else { false } })
        else { return }
        let subjects = history.observed.compactMap { record -> Subject? in
            guard case .process(let birth) = record.event else { return nil }
            return birth.subject
        }
        let roles = Set(subjects.compactMap(\.role))
        for rule in scenario.topology.children {
            guard let count = rule.count else { continue }
            for parent in scenario.topology.processes.map(\.role) where rule.parent.matches(parent) {
                let born = roles.filter { $0.description.hasPrefix("\(parent).\(rule.name)[") }.count
                if born < count {
                    problems.append(
                        "\(parent) made \(born) of \(count) '\(rule.name)' processes: the topology never stood")
                }
            }
        }
    }
}
