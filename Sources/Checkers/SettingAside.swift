import Evidence
import Scenarios

extension Judgement {
    /// Sets aside what does not count: consequences of a kill, then known findings, then what the scenario is not for.
    mutating func setAside(_ consequences: [Violation], _ history: History) {
        var aside = consequences.map { SetAside(violation: $0, why: "a kill made it inevitable") }
        let scenario = history.header.scenario
        violations.removeAll { violation in
            guard let why = scenario.reason(toSetAside: violation.signature) else { return false }
            aside.append(SetAside(violation: violation, why: why))
            return true
        }
        setAside = aside.isEmpty ? nil : aside
    }
}

extension Scenario {
    /// Why a finding does not count in the scenario's trials; nil when it does.
    fileprivate func reason(toSetAside signature: String) -> String? {
        if let finding, !KnownFinding.matches(finding, signature) { return "the scenario is for '\(finding)'" }
        return known?.first { KnownFinding.matches($0.signature, signature) }?.why
    }
}
