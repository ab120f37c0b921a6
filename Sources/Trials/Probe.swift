public import Scenarios

/// The probe that Python processes load on their start, by way of `sitecustomize` on `PYTHONPATH`: it marks the functions that
/// points name, and every raise of an exception that the scenario forbids. Nothing of the target is changed.
public enum Probe {
    /// Whether a scenario has anything for it to do.
    public static func isNeeded(by scenario: Scenario) -> Bool {
        !functions(of: scenario).isEmpty || !scenario.expect.raises.isEmpty
    }

    /// The variables that tell it what to do.
    static let variables = ["FRACAS_FUNCTIONS", "FRACAS_RAISES"]

    /// A process's environment with the probe in it.
    static func add(to environment: inout [String: String], for scenario: Scenario, directory: String?) {
        guard let directory, isNeeded(by: scenario) else { return }
        let functions = functions(of: scenario)
        if !functions.isEmpty { environment["FRACAS_FUNCTIONS"] = functions.joined(separator: ";") }
        if !scenario.expect.raises.isEmpty {
            environment["FRACAS_RAISES"] = scenario.expect.raises.joined(separator: ";")
        }
        let others = environment["PYTHONPATH"].map { ":\($0)" } ?? ""
        environment["PYTHONPATH"] = directory + others
    }

    private static func functions(of scenario: Scenario) -> [String] {
        let points = scenario.faults.compactMap(\.point) + scenario.points.map(\.point)
        let names = points.compactMap { point -> String? in
            guard case .mark(let name, let fields) = point.place, name == "enter" || name == "return" else {
                return nil
            }
            return fields["function"]
        }
        return Set(names).sorted()
    }
}
