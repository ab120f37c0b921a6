import Evidence
import Scenarios

/// No process may raise a forbidden exception, not even one that it catches itself. Only processes that carry the probe can be
/// watched for that.
public struct RaiseChecker: Checker {
    /// `raise`.
    public let name = "raise"

    /// Makes the checker.
    public init() {}

    /// One violation per forbidden exception, at its first raise; says which processes were not watched.
    public func check(_ history: History) -> Findings {
        let forbidden = history.expect.raises
        guard !forbidden.isEmpty else { return .notChecked("the scenario forbids no exception to be raised") }
        if history.startFailed { return .notChecked("the topology never stood") }
        var findings = Findings()
        let marks = history.observed.compactMap { record -> (seq: Int, mark: Mark)? in
            guard case .mark(let mark) = record.event else { return nil }
            return (record.seq, mark)
        }
        let raises = marks.filter { $0.mark.name == "raise" }
        for name in forbidden {
            let hits = raises.filter { seq, mark in
                mark.fields["as"] == name
                    && !history.killedRules(at: seq).contains { $0.raises?.contains(name) == true }
            }
            guard let first = hits.first?.mark else { continue }
            let place = ["function", "file", "line"].compactMap { first.fields[$0] }.joined(separator: " ")
            findings.violations.append(
                Violation(
                    checker: self.name, signature: "\(name) raised",
                    message:
                        "\(History.name(first.subject)) raised \(first.fields["exception"] ?? name) in \(place): \(first.fields["message"] ?? "")",
                    records: hits.prefix(10).map(\.seq), role: first.subject.role?.description))
        }
        findings.couldNotCheck = unwatched(history, marks.map(\.mark))
        return findings
    }

    /// Which processes with a role nobody could watch, and why; nil when all were.
    private func unwatched(_ history: History, _ marks: [Mark]) -> String? {
        var pythons: [Int32: String] = [:]
        var watched: Set<Int32> = []
        for mark in marks where mark.name == "probe" {
            pythons[mark.subject.pid] = mark.fields["python"]
            if mark.fields["watches"]?.contains("raises") == true { watched.insert(mark.subject.pid) }
        }
        var missing: Set<String> = []
        for record in history.observed {
            guard case .process(let birth) = record.event, let role = birth.subject.role,
                history.header.scenario.step(starting: role) == nil, !watched.contains(birth.subject.pid)
            else { continue }
            let why = pythons[birth.subject.pid].map { "Python \($0)" } ?? "no probe"
            missing.insert("\(History.general(role)) (\(why))")
        }
        guard !missing.isEmpty else { return nil }
        let names = missing.sorted().joined(separator: ", ")
        return "exceptions that are caught were not watched in \(names): that needs Python 3.12 or newer"
    }
}
