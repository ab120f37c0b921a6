import Evidence
import Scenarios

/// A trial as a picture: a lane per process with a role, from its birth to its end, with what was done to it.
struct Timeline {
    private struct Lane {
        let subject: Subject
        var born: Int64
        var ended: Int64?
        var how = ""
    }

    private struct Mark {
        let time: Int64
        let lane: Int
        let kind: String
        let label: String
    }

    private var lanes: [Lane] = []
    private var marks: [Mark] = []
    private var steps: [(time: Int64, name: String)] = []
    private var end: Int64 = 1
    private static let width = 860.0
    private static let left = 150.0
    private static let laneHeight = 34.0

    init(_ records: [Record], proof: Set<Int>) {
        for record in records {
            end = max(end, record.time)
            add(record, isProof: proof.contains(record.seq))
        }
    }

    private mutating func add(_ record: Record, isProof: Bool) {
        switch record.event {
        case .process(let birth) where birth.subject.role != nil:
            if lane(birth.subject) == nil { lanes.append(Lane(subject: birth.subject, born: record.time)) }
        case .exit(let exit):
            guard let index = lane(exit.subject) else { return }
            lanes[index].ended = record.time
            lanes[index].how = exit.status?.description ?? "ended"
            if isProof { mark(exit.subject, record.time, "proof", lanes[index].how) }
        case .step(let step) where step.state == .began: steps.append((record.time, step.name))
        case .fault(let fault):
            let whom = fault.targets.isEmpty ? [fault.at].compactMap(\.self) : fault.targets
            for subject in whom { mark(subject, record.time, "fault", "\(fault.fault): \(fault.action)") }
        case .signal(let signal): mark(signal.subject, record.time, "signal", signal.signal.description)
        case .line(let line) where isProof: mark(line.subject, record.time, "proof", line.text)
        case .hang(let hang):
            for subject in hang.waitingFor { mark(subject, record.time, "proof", "hang in \(hang.step)") }
        default: break
        }
    }

    private func lane(_ subject: Subject) -> Int? { lanes.firstIndex { $0.subject.pid == subject.pid } }

    private mutating func mark(_ subject: Subject, _ time: Int64, _ kind: String, _ label: String) {
        guard let lane = lane(subject), marks.count < 200 else { return }
        marks.append(Mark(time: time, lane: lane, kind: kind, label: label))
    }

    private func x(_ time: Int64) -> Double {
        Self.left + (Self.width - Self.left - 20) * Double(time) / Double(end)
    }

    private func number(_ value: Double) -> String { String((value * 10).rounded() / 10) }

    /// The picture as SVG; every label is escaped.
    func svg() -> String {
        let height = 44 + Self.laneHeight * Double(max(1, lanes.count)) + 24
        var parts = [
            "<svg viewBox=\"0 0 \(number(Self.width)) \(number(height))\" role=\"img\" aria-label=\"timeline\">"
        ]
        for (index, step) in steps.enumerated() {
            let at = number(x(step.time))
            parts.append("<line class=\"step\" x1=\"\(at)\" y1=\"26\" x2=\"\(at)\" y2=\"\(number(height - 20))\"/>")
            parts.append(
                "<text class=\"small\" x=\"\(at)\" y=\"\(index % 2 == 0 ? 11 : 22)\">\(JUnitReport.escape(step.name))</text>"
            )
        }
        for (index, lane) in lanes.enumerated() {
            let y = 44 + Self.laneHeight * Double(index)
            let from = x(lane.born)
            let to = x(lane.ended ?? end)
            parts.append(
                "<text x=\"4\" y=\"\(number(y + 5))\">\(JUnitReport.escape(lane.subject.role?.description ?? ""))</text>"
            )
            parts.append(
                "<line class=\"life\" x1=\"\(number(from))\" y1=\"\(number(y))\" x2=\"\(number(max(to, from + 1)))\" y2=\"\(number(y))\"/>"
            )
            if lane.ended != nil {
                let room = to > Self.width - 90
                parts.append(
                    "<text class=\"small\" x=\"\(number(room ? to - 4 : to + 5))\" y=\"\(number(y + 16))\" text-anchor=\"\(room ? "end" : "start")\">\(JUnitReport.escape(lane.how))</text>"
                )
            }
        }
        for mark in marks {
            let y = 44 + Self.laneHeight * Double(mark.lane)
            let label = JUnitReport.escape(Terminal.escape(String(mark.label.prefix(160))))
            parts.append(
                "<circle class=\"\(mark.kind)\" cx=\"\(number(x(mark.time)))\" cy=\"\(number(y))\" r=\"5\"><title>\(milliseconds(mark.time)) ms: \(label)</title></circle>"
            )
        }
        parts.append("<text class=\"small\" x=\"\(number(Self.left))\" y=\"\(number(height - 4))\">0</text>")
        parts.append(
            "<text class=\"small\" x=\"\(number(Self.width - 20))\" y=\"\(number(height - 4))\" text-anchor=\"end\">\(milliseconds(end)) ms</text></svg>"
        )
        return parts.joined(separator: "\n")
    }

    private func milliseconds(_ time: Int64) -> String { number(Double(time) / 1e6) }

    /// What happened, as a list: faults, signals, steps, ends and the proof, in order.
    static func events(_ records: [Record], proof: Set<Int>) -> [(seq: Int, time: String, kind: String, text: String)] {
        var events: [(seq: Int, time: String, kind: String, text: String)] = []
        for record in records where events.count < 120 {
            guard let (kind, text) = describe(record, isProof: proof.contains(record.seq)) else { continue }
            let time = String((Double(record.time) / 1e5).rounded() / 10)
            events.append((record.seq, time, kind, Terminal.escape(String(text.prefix(300)))))
        }
        return events
    }

    private static func name(_ subject: Subject) -> String { subject.role?.description ?? "pid \(subject.pid)" }

    private static func describe(_ record: Record, isProof: Bool) -> (String, String)? {
        let proof = isProof ? "proof" : "plain"
        switch record.event {
        case .step(let step):
            return (proof, "step \(step.name) \(step.state.rawValue)\(step.detail.map { ": \($0)" } ?? "")")
        case .process(let birth) where birth.subject.role != nil: return (proof, "\(name(birth.subject)) started")
        case .exit(let exit) where exit.subject.role != nil:
            return (proof, "\(name(exit.subject)) ended: \(exit.status?.description ?? "nobody knows how")")
        case .fault(let fault):
            let whom = fault.targets.map(name).joined(separator: ", ")
            let at =
                fault.at.map { " at \(name($0)) \(fault.call ?? "") \(fault.channel ?? "") #\(fault.nth ?? 1)" } ?? ""
            return (
                "fault", "\(fault.fault): \(fault.action) → \(whom)\(at)\(fault.failure.map { " FAILED: \($0)" } ?? "")"
            )
        case .signal(let signal): return ("signal", "\(signal.signal) → \(name(signal.subject))")
        case .line(let line) where isProof: return (proof, "\(name(line.subject)): \(line.text)")
        case .mark(let mark) where isProof:
            return (proof, "\(name(mark.subject)) \(mark.name) \(mark.fields["id"] ?? "")")
        case .hang(let hang): return (proof, "hang in \(hang.step): waited for \(hang.detail)")
        case .stuck(let thread) where thread.subject.role != nil:
            let place = [thread.call, thread.descriptor, thread.wait].compactMap { $0 }.joined(separator: " ")
            return (proof, "\(name(thread.subject)) thread \(thread.thread) stuck in \(place)")
        case .trouble(let trouble): return ("proof", trouble.message)
        default: return nil
        }
    }
}
