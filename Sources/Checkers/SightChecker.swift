import Evidence
import Scenarios

/// What the gate could not see, or was felt by: faults and counts do not speak of the one, and the other accuses nobody.
public struct SightChecker: Checker {
    /// `sight`.
    public let name = "sight"

    /// Makes the checker.
    public init() {}

    /// Problems where a fault or a count should have covered what was not seen; notes for what else was not.
    public func check(_ history: History) -> Findings {
        var findings = Findings()
        var notes: [String] = []
        for record in history.records {
            guard case .unseen(let unseen) = record.event else { continue }
            let what = "\(History.name(unseen.subject)) \(Self.says(unseen.way)): Fracas does not see what it does so"
            let names = Self.concerned(history.header.scenario, unseen)
            if names.isEmpty {
                notes.append(what)
            } else {
                findings.problems.append("\(what), and '\(names.joined(separator: "', '"))' may have missed it")
            }
        }
        if let broken = history.brokenCalls, broken.unknown > 0 { notes.append(Self.says(broken.unknown)) }
        if !notes.isEmpty { findings.couldNotCheck = notes.joined(separator: "; ") }
        if findings.problems.isEmpty, notes.isEmpty { findings.notChecked = "everything was in sight" }
        return findings
    }

    private static func says(_ way: Unseen.Way) -> String {
        switch way {
        case .asynchronous: "uses io_uring or io_submit (answer its set-up with ENOSYS to have it go without)"
        case .otherArchitecture: "makes 32-bit or x32 calls"
        }
    }

    /// For people: why calls that a signal broke off excuse what came of it.
    static func says(_ broken: Int) -> String {
        "\(broken) calls that Linux may never interrupt ended with EINTR because a signal came before Fracas had received them"
    }

    /// The faults and points that would have been done to what was not seen: those at calls of this process, and at its lines.
    private static func concerned(_ scenario: Scenario, _ unseen: Unseen) -> [String] {
        let all = scenario.faults.map { ($0.name, $0.point) } + scenario.points.map { ($0.name, $0.point) }
        return all.compactMap { name, point in
            guard let point, let role = unseen.subject.role else { return nil }
            let roles = point.includesDescendants ? [role] + role.ancestors : [role]
            guard roles.contains(where: point.roles.matches) else { return nil }
            switch point.place {
            case .line: return name
            case .mark: return unseen.way == .otherArchitecture ? name : nil
            case .calls(let calls):
                let canBe = unseen.way == .otherArchitecture || calls.contains(where: isTransfer)
                return canBe ? name : nil
            }
        }
    }

    /// Whether io_uring can do what a call does: work on files, descriptors and sockets.
    private static func isTransfer(_ call: String) -> Bool {
        let classes = SystemCalls.call(call)?.classes ?? []
        return !Set(classes).isDisjoint(with: [.file, .descriptor, .network])
    }
}
