import Evidence
import Scenarios

/// Every step must end within its deadline.
public struct HangChecker: Checker {
    /// `hang`.
    public let name = "hang"

    /// Makes the checker.
    public init() {}

    /// A violation for a step that missed its deadline; what outlived the last step is the orphan checker's.
    public func check(_ history: History) -> Findings {
        var findings = Findings()
        for record in history.observed {
            guard case .hang(let hang) = record.event, let step = hang.step else { continue }
            let stuck = history.observed.compactMap { record -> (Int, StuckThread)? in
                guard case .stuck(let thread) = record.event else { return nil }
                return (record.seq, thread)
            }
            let stacks = PythonStacks.innermost(in: history.afterwards)
            let roles = Set(hang.waitingFor.map { History.general($0.role) }).sorted().joined(separator: ", ")
            let seconds = Double(hang.waited / 1_000_000) / 1000
            var message = "deadlock: after \(seconds) s still waiting for \(hang.detail)"
            if let threads = hang.standstill {
                message += ", which \(Hang.cannotCome(threads))"
            }
            for (_, thread) in stuck where thread.subject.role != nil && thread.thread == thread.subject.pid {
                let place = [thread.call, thread.descriptor ?? thread.wait].compactMap { $0 }.joined(separator: " on ")
                let frames = stacks[thread.subject.pid]?.prefix(4).joined(separator: " < ")
                message += "; \(History.name(thread.subject)) in \(place.isEmpty ? thread.state : place)"
                if let frames { message += " [\(frames)]" }
            }
            findings.violations.append(
                Violation(
                    checker: name, signature: "deadlock in \(step) of \(roles.isEmpty ? "nobody" : roles)",
                    message: message, records: [record.seq] + stuck.map(\.0)))
        }
        return findings
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
