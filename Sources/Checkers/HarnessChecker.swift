import Evidence
import Scenarios

/// Whether the harness itself did its work: without that nothing is `held`.
public struct HarnessChecker: Checker {
    /// `harness`.
    public let name = "harness"

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
        for record in history.records {
            if case .step(let change) = record.event, Liveness.blame(of: change, history) != .none { continue }
            look(at: record.event, &findings.problems)
        }
        guard case .end(let end)? = history.records.last?.event else {
            findings.problems.append("the ledger has no end: the trial was cut short")
            return findings
        }
        if end.reason == .interrupted { findings.problems.append("the trial was interrupted") }
        if end.reason == .completed {
            countChildren(history, &findings.problems)
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
        case .step(let step) where step.state == .failed:
            problems.append("step '\(step.name)' failed: \(step.detail ?? "no reason given")")
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
            case .tally(let tally): tallied += tally.calls.values.reduce(0, +)
            case .census(let census): intercepted = census.intercepted
            default: break
            }
        }
        guard tallied != intercepted else { return }
        problems.append("\(intercepted) calls were intercepted but \(tallied) are accounted for")
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
