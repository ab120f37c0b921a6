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
        let pid: Int32
        let kind: String
        let label: String
    }

    private var lanes: [Lane] = []
    private var marks: [Mark] = []
    private var steps: [(time: Int64, name: String)] = []
    private var end: Int64 = 1
    /// No trial takes longer than this: 30 years.
    private static let latest: Int64 = 1_000_000_000_000_000_000
    private static let width = 860.0
    private static let left = 150.0
    private static let laneHeight = 34.0

    /// The longest time in which nothing drawn happened, if it would crowd out all the rest: it is drawn short, and says so.
    private var pause: (from: Int64, to: Int64)?
    private static let pauseWidth = 90.0

    init(_ records: [Record], proof: Set<Int>) {
        var isByFracas = false
        for var record in records {
            // Of a damaged ledger's times some can be neither added nor drawn.
            record.time = min(max(record.time, 0), Self.latest)
            end = max(end, record.time)
            if record.event == .autopsy { isByFracas = true }
            add(record, isProof: proof.contains(record.seq), isByFracas)
        }
        lanes.sort { $0.subject.pid < $1.subject.pid }
        let times = Set(
            lanes.flatMap { [$0.born, $0.ended ?? end] } + marks.map(\.time) + steps.map(\.time) + [0, end]
        )
        .sorted()
        let longest = zip(times, times.dropFirst()).max { $0.1 - $0.0 < $1.1 - $1.0 }
        if let longest, (longest.1 - longest.0) * 2 > end { pause = (from: longest.0, to: longest.1) }
    }

    private mutating func add(_ record: Record, isProof: Bool, _ isByFracas: Bool) {
        switch record.event {
        case .process(let birth) where birth.subject.role != nil:
            if lane(birth.subject) == nil { lanes.append(Lane(subject: birth.subject, born: record.time)) }
        case .exit(let exit):
            guard let index = lane(exit.subject) else { return }
            lanes[index].ended = record.time
            lanes[index].how = (exit.status?.description ?? "ended") + (isByFracas ? ", by Fracas" : "")
            if isProof { mark(exit.subject, record.time, "proof", lanes[index].how) }
        case .step(let step) where step.state == .began: steps.append((record.time, step.name))
        case .fault(let fault):
            let whom = fault.targets.isEmpty ? [fault.at].compactMap(\.self) : fault.targets
            for subject in whom { mark(subject, record.time, "fault", "\(fault.fault): \(fault.action)") }
        case .signal(let signal): mark(signal.subject, record.time, "signal", signal.signal.description)
        case .line(let line) where isProof: mark(line.subject, record.time, "proof", line.text)
        case .hang(let hang):
            for subject in hang.waitingFor { mark(subject, record.time, "proof", "hang in \(hang.step ?? "the end")") }
        default: break
        }
    }

    private func lane(_ subject: Subject) -> Int? { lanes.firstIndex { $0.subject.pid == subject.pid } }

    private mutating func mark(_ subject: Subject, _ time: Int64, _ kind: String, _ label: String) {
        guard lane(subject) != nil, marks.count < 200 else { return }
        marks.append(Mark(time: time, pid: subject.pid, kind: kind, label: label))
    }

    private func x(_ time: Int64) -> Double {
        let room = Self.width - Self.left - 20
        guard let pause else { return Self.left + room * Double(time) / Double(end) }
        let scale = (room - Self.pauseWidth) / Double(max(1, end - (pause.to - pause.from)))
        if time <= pause.from { return Self.left + scale * Double(time) }
        if time >= pause.to { return Self.left + room - scale * Double(end - time) }
        let share = Double(time - pause.from) / Double(pause.to - pause.from)
        return Self.left + scale * Double(pause.from) + Self.pauseWidth * share
    }

    private func number(_ value: Double) -> String { String((value * 10).rounded() / 10) }

    /// The picture as SVG; every label is escaped.
    func svg() -> String {
        let height = 44 + Self.laneHeight * Double(max(1, lanes.count)) + 28
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
        if let pause {
            let middle = number((x(pause.from) + x(pause.to)) / 2)
            parts.append(
                "<rect class=\"pause\" x=\"\(number(x(pause.from) + 8))\" y=\"26\" width=\"\(number(Self.pauseWidth - 16))\" height=\"\(number(height - 46))\"/>"
            )
            parts.append(
                "<text class=\"small\" x=\"\(middle)\" y=\"\(number(height - 16))\" text-anchor=\"middle\">\(milliseconds(pause.to - pause.from)) ms, shortened</text>"
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
            let y = 44 + Self.laneHeight * Double(lanes.firstIndex { $0.subject.pid == mark.pid } ?? 0)
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

    private static func words(_ disturbance: Disturbance) -> String {
        let time = disturbance.length.map { " for \((Double($0) / 1e8).rounded() / 10) s" } ?? ""
        return switch disturbance.kind {
        case .stoodStill: "Fracas itself stood still\(time)"
        case .slept: "the host slept\(time)"
        case .starved: "processes of the trial waited for a processor\(time)"
        case .fracasStarved: "Fracas itself waited for a processor\(time)"
        case .ended: "the trial's init was ended from outside"
        }
    }

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
        case .hang(let hang): return (proof, "hang in \(hang.step ?? "the end"): waited for \(hang.detail)")
        case .stuck(let thread) where thread.subject.role != nil:
            let place = [thread.call, thread.descriptor, thread.wait].compactMap { $0 }.joined(separator: " ")
            return (proof, "\(name(thread.subject)) thread \(thread.thread) stuck in \(place)")
        case .trouble(let trouble): return ("proof", trouble.message)
        case .disturbed(let disturbance): return ("proof", words(disturbance))
        default: return nil
        }
    }
}
