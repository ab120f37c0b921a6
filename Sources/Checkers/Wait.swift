import Evidence
import Scenarios

/// A wait in vain, as a ledger has it: what everybody did meanwhile, and whether somebody can be blamed for it.
struct Wait {
    private let hang: Hang
    private let history: History
    /// The records of the threads.
    let records: [Int]
    private let threads: [StuckThread]
    /// Who waits for its child's start is in state D too.
    private static let childStarts = ["vfork", "clone", "clone3"]
    /// A process that was ready to run, and had no processor, for this part of the time was starved by the host.
    private static let starvedPart = 4.0
    /// A trial that had this part of one processor had its share: its processes may have kept each other from running.
    private static let ownLoad = 0.75

    init(_ hang: Hang, _ history: History) {
        self.hang = hang
        self.history = history
        var found: [(Int, StuckThread)] = []
        for record in history.observed {
            if case .stuck(let thread) = record.event { found.append((record.seq, thread)) }
        }
        records = found.map(\.0)
        threads = found.map(\.1)
    }

    /// Whom it was waited for, without their indices.
    var roles: String { Set(hang.waitingFor.map { History.general($0.role) }).sorted().joined(separator: ", ") }

    var seconds: Double { Self.seconds(hang.waited) }

    /// What the process that was waited for printed last, as a sentence's end.
    var lastLines: String {
        hang.waitingFor.first.map { LastLines.text(LastLines.of($0, in: Array(history.observed))) } ?? ""
    }

    /// What a process does that is being born all the time, it does not wait.
    var births: String {
        guard hang.standstill == nil, let births = hang.births, births > 0 else { return "" }
        return " (\(births) process\(births == 1 ? " was" : "es were") born meanwhile)"
    }

    private static func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds / 1_000_000) / 1000 }

    /// What the main thread of each process with a role did.
    var doing: [String] {
        let stacks = PythonStacks.innermost(in: history.afterwards)
        let shown = threads.filter { $0.subject.role != nil && $0.thread == $0.subject.pid && $0.state != "Z" }
        return shown.map { thread in
            var text = "\(History.name(thread.subject)) \(Self.place(of: thread))"
            let doing = hang.doing?.first { $0.subject.pid == thread.subject.pid }
            if let doing { text += self.text(of: doing, thread) }
            if let frames = stacks[thread.subject.pid]?.prefix(4) { text += " [\(frames.joined(separator: " < "))]" }
            return text
        }
    }

    private static func place(of thread: StuckThread) -> String {
        if thread.state == "R", thread.call == nil { return "running" }
        let place = [thread.call, thread.descriptor ?? thread.wait].compactMap { $0 }.joined(separator: " on ")
        let limit = thread.limit.map { " for up to \(seconds($0)) s" } ?? ""
        let state = ["S", "R"].contains(thread.state) || place.isEmpty ? "" : " in state \(thread.state)"
        return "in \(place.isEmpty ? "state \(thread.state)" : place)\(limit)\(state)"
    }

    private func text(of doing: Doing, _ thread: StuckThread) -> String {
        var parts: [String] = []
        if doing.isEnding == true { parts.append("it had called exit_group(2)") }
        if doing.isHeld == true { parts.append("Fracas held a call of it") }
        if doing.ran >= hang.waited / 10, hang.waited > 0 {
            parts.append("it had used \(Self.seconds(doing.ran)) s of processor time meanwhile")
        }
        if let signal = doing.signal, let fate = doing.fate {
            switch fate {
            case .ignored: parts.append("it ignores \(signal)")
            case .pending: parts.append("\(signal) is pending: it has not taken it")
            case .taken:
                let back = doing.awaitsConnections == true ? ", and it went back to waiting for connections" : ""
                parts.append("\(signal) was delivered and handled\(back)")
            }
        } else if doing.awaitsConnections == true {
            parts.append("it waits for connections")
        }
        return parts.isEmpty ? "" : " (\(parts.joined(separator: "; ")))"
    }

    // MARK: whose doing it is

    /// Why the target cannot be blamed for a missed deadline; nil when it can.
    var excuse: String? {
        guard hang.standstill == nil, let doing = hang.doing else { return nil }
        let awaited = Set(hang.waitingFor.map(\.pid))
        for one in doing where awaited.contains(one.subject.pid) {
            let name = History.name(one.subject)
            let states = Set(threads.filter { $0.subject.pid == one.subject.pid }.map(\.state))
            if one.isHeld == true {
                return "Fracas itself still held a call of \(name): give the step more time than the fault takes"
            }
            if one.isEnding == true, !states.isDisjoint(with: ["R", "D"]) {
                return "\(name) had called exit_group(2), and the kernel was still ending it: the host is slow"
            }
            let isInHost = threads.contains {
                $0.subject.pid == one.subject.pid && $0.state == "D" && !Self.childStarts.contains($0.call ?? "")
            }
            if isInHost {
                return "\(name) was in state D: it waited for the host's disk or memory"
            }
        }
        return starvation(doing)
    }

    /// Who was ready to run for a good part of the time and had no processor, although the trial as a whole had little of them.
    private func starvation(_ doing: [Doing]) -> String? {
        guard Double(doing.reduce(0) { $0 + $1.ran }) < Self.ownLoad * Double(hang.waited) else { return nil }
        let awaited = Set(hang.waitingFor.map(\.pid))
        let step = history.header.scenario.steps.first { $0.name == hang.step }
        let grace = hang.step == nil ? history.header.scenario.limits.orphanGrace : nil
        let owed = (step?.within ?? grace).map { $0 / .nanoseconds(1) } ?? Double(hang.waited)
        let starved = doing.filter { one in
            let runs = threads.contains { $0.subject.pid == one.subject.pid && $0.state == "R" }
            // Who sleeps by now would have come to its end with more time only if most of it was lost.
            let part = runs ? Self.starvedPart : awaited.contains(one.subject.pid) ? Self.starvedPart / 2 : nil
            guard let part, Double(one.queued) * part >= Double(hang.waited) else { return false }
            // A deadline is put off by what was lost: then it has had its time.
            return Double(hang.waited - one.queued) < 0.9 * owed
        }
        guard let worst = starved.max(by: { $0.queued < $1.queued }) else { return nil }
        return
            "the host was starved: \(History.name(worst.subject)) was ready to run for \(Self.seconds(worst.queued)) of \(seconds) s and had no processor; run fewer trials at once, or give the step more time"
    }
}

/// The stacks that Python's faulthandler prints on `SIGABRT`.
enum PythonStacks {
    /// The frames of the thread that took the signal, which is the main one, innermost first, as `function file:line`.
    static func innermost(in records: ArraySlice<Record>) -> [Int32: [String]] {
        var stacks: [Int32: [String]] = [:]
        var inMainThread: Set<Int32> = []
        for record in records {
            guard case .line(let line) = record.event else { continue }
            if line.text.hasPrefix("Current thread ") { inMainThread.insert(line.subject.pid) }
            if line.text.hasPrefix("Thread ") { inMainThread.remove(line.subject.pid) }
            guard inMainThread.contains(line.subject.pid), line.text.hasPrefix("  File \"") else { continue }
            let parts = line.text.split(separator: "\"")
            guard parts.count >= 3, let file = parts[1].split(separator: "/").last else { continue }
            let rest = parts[2].split(separator: " ")
            guard let number = rest.first(where: { Int($0) != nil }), let function = rest.last else { continue }
            stacks[line.subject.pid, default: []].append("\(function) \(file):\(number)")
        }
        return stacks
    }
}
