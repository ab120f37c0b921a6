import Evidence
import Scenarios

/// What was acknowledged as sent must be received exactly once.
public struct DeliveryChecker: Checker {
    /// `delivery`.
    public let name = "delivery"

    /// Makes the checker.
    public init() {}

    /// Violations for events lost, doubled, or received from nowhere.
    public func check(_ history: History) -> Findings {
        let rules = history.expect.delivery
        guard !rules.isEmpty else { return .notChecked("the scenario names no channel whose deliveries are marked") }
        var findings = Findings()
        var marks = 0
        for rule in rules {
            let seen = Seen(history, channel: rule.channel)
            marks += seen.sent.count + seen.received.count
            report(seen, rule, history, &findings)
        }
        if marks == 0 { return .couldNotCheck("no process marked anything as sent or received") }
        return findings
    }

    private struct Seen {
        var sent: [String: (seq: Int, subject: Subject)] = [:]
        var received: [String: [Int]] = [:]

        init(_ history: History, channel: String) {
            for record in history.observed {
                guard case .mark(let mark) = record.event, mark.fields["channel"] == channel,
                    let id = mark.fields["id"]
                else { continue }
                if mark.name == "sent" { sent[id] = (record.seq, mark.subject) }
                if mark.name == "received" { received[id, default: []].append(record.seq) }
            }
        }
    }

    private func report(_ seen: Seen, _ rule: Expectations.Delivery, _ history: History, _ findings: inout Findings) {
        for (id, places) in seen.received.sorted(by: { $0.key < $1.key }) where places.count > 1 {
            findings.violations.append(
                violation("event received twice on \(rule.channel)", "\(id) was received \(places.count) times", places)
            )
        }
        var owed: [Role?: Bool] = [:]
        let lost = seen.sent.filter { id, sent in
            guard seen.received[id] == nil else { return false }
            if let known = owed[sent.subject.role] { return known }
            let answer = isOwed(sent.subject.role, rule, history)
            owed[sent.subject.role] = answer
            return answer
        }
        .sorted { $0.value.seq < $1.value.seq }
        guard let first = lost.first else { return }
        let killed = history.wasKilledByFault(first.value.subject.pid)
        let message =
            "\(lost.count) of \(seen.sent.count) events that \(rule.channel) had acknowledged were never received, the first"
            + " '\(first.key)' of \(History.name(first.value.subject))"
            + (killed ? ", which was killed after the acknowledgement" : "")
        findings.violations.append(
            violation(
                "acknowledged event lost on \(rule.channel)\(killed ? " after its sender was killed" : "")", message,
                lost.prefix(10).map(\.value.seq)))
    }

    /// Whether what a process sent had to arrive: its receiver is the process above it that the rule means, or, where none is
    /// above it, any that the rule means. A receiver that was killed, or that is stuck, may not have come to it.
    private func isOwed(_ sender: Role?, _ rule: Expectations.Delivery, _ history: History) -> Bool {
        let kind = rule.receiver.segments.map(\.name)
        let above = sender.flatMap { role in
            role.ancestors.first { $0.segments.suffix(kind.count).map(\.name) == kind }
        }
        let ends = history.exits.filter { end in
            guard let role = end.exit.subject.role, rule.receiver.matches(role) else { return false }
            return above == nil || above == role
        }
        return !ends.isEmpty
            && ends.allSatisfy { end in
                if case .code = end.exit.status { return true }
                return false
            }
    }

    private func violation(_ signature: String, _ message: String, _ records: [Int]) -> Violation {
        Violation(checker: name, signature: signature, message: message, records: records)
    }
}
