import Evidence
import Scenarios

/// Every fault of the scenario that is not optional must have been injected: a trial whose fault never fired has shown nothing.
public struct FaultChecker: Checker {
    /// `fault`.
    public let name = "fault"

    /// Makes the checker.
    public init() {}

    /// Problems for faults that did not fire, or could not be injected.
    public func check(_ history: History) -> Findings {
        let faults = history.header.scenario.faults
        guard !faults.isEmpty else { return .notChecked("the scenario has no faults") }
        var findings = Findings()
        for fault in faults {
            let injections = history.observed.compactMap { record -> Injection? in
                guard case .fault(let injection) = record.event, injection.fault == fault.name else { return nil }
                return injection
            }
            // A hold that was not released by what it waited for has not forced the order it was for.
            var isHold = false
            if case .hold = fault.action { isHold = true }
            if let failure = injections.lazy.compactMap(\.failure).first,
                isHold || injections.allSatisfy({ $0.failure != nil })
            {
                findings.misses.append("the fault '\(fault.name)' could not be injected: \(failure)")
            } else if injections.isEmpty, !fault.isOptional {
                findings.misses.append(
                    "the fault '\(fault.name)' never fired: its point\(fault.point.map { " (\($0))" } ?? "") was not reached; look in the ledger for what its role did instead"
                )
            }
        }
        return findings
    }
}
