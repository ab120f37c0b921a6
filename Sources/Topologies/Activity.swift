public import Evidence
public import Platform
import Scenarios

/// What the processes of a trial do that are waited for in vain.
public enum Activity {
    private static let mostThreads = 64

    /// Where each thread of a process is stuck.
    public static func stuckThreads(of process: TrackedProcess, in table: ProcessTable) -> [StuckThread] {
        let tasks = "/proc/\(process.hostPid)/task"
        return ProcFile.numbers(tasks).prefix(mostThreads).compactMap { thread -> StuckThread? in
            let path = "\(tasks)/\(thread)"
            guard let status = ProcFile.text("\(path)/status"),
                let state = ProcFile.field("State:", in: status)?.prefix(1)
            else { return nil }
            let inner = ProcessStatus(parsing: Array(status.utf8), level: table.level)?.innerThread
            let fields = ProcFile.text("\(path)/syscall")?.split { $0 == " " || $0 == "\n" } ?? []
            let call = fields.first.flatMap { Int32($0) }.flatMap { CallNames.name(of: $0) }
            let arguments = fields.dropFirst().prefix(6).compactMap { UInt64($0.dropFirst(2), radix: 16) }
            let wait = ProcFile.text("\(path)/wchan")
            // Where the call works on no descriptor its arguments are something else.
            let place = call.flatMap { SystemCalls.call($0)?.descriptor }
            let descriptor = place.flatMap {
                arguments.indices.contains($0) ? Int32(truncatingIfNeeded: arguments[$0]) : nil
            }
            return StuckThread(
                subject: process.subject, thread: inner ?? thread, state: String(state), call: call,
                wait: wait == "0" ? nil : wait,
                descriptor: descriptor.flatMap { ProcFile.link("/proc/\(process.hostPid)/fd/\($0)") },
                limit: call.flatMap { WaitLimit.of(call: $0, arguments, in: process.hostPid) })
        }
    }

    /// Whether a process has called `exit_group(2)`, and the kernel is at work on its end.
    public static func isBeingEnded(_ process: TrackedProcess, in table: ProcessTable) -> Bool {
        guard !process.hasExited, process.exitCode != nil else { return false }
        return stuckThreads(of: process, in: table).contains { ["R", "D"].contains($0.state) }
    }

    /// What a process did since an earlier look at its use of the processors.
    /// - Parameter isHeld: whether Fracas holds a call of it.
    public static func doing(_ process: TrackedProcess, since before: ProcessorUse?, isHeld: Bool) -> Doing {
        let use = ProcessorUse(of: process.hostPid).since(before)
        let isWaiting = awaitsConnections(process)
        let fate = process.dealings.lastSignal.flatMap { Self.fate(of: $0, sentTo: process) }
        return Doing(
            subject: process.subject, ran: use.ran, queued: use.queued, isEnding: process.exitCode == nil ? nil : true,
            isHeld: isHeld ? true : nil, awaitsConnections: isWaiting ? true : nil,
            signal: fate == nil ? nil : process.dealings.lastSignal, fate: fate)
    }

    /// What has become of a signal, `proc_pid_status(5)`.
    private static func fate(of signal: Signal, sentTo process: TrackedProcess) -> Doing.Fate? {
        guard let status = ProcFile.text("/proc/\(process.hostPid)/status") else { return nil }
        let bit = UInt64(1) << UInt64(signal.number - 1)
        func isIn(_ set: String) -> Bool {
            (ProcFile.field(set, in: status).flatMap { UInt64($0, radix: 16) } ?? 0) & bit != 0
        }
        if isIn("ShdPnd:") || isIn("SigPnd:") { return .pending }
        return isIn("SigIgn:") ? .ignored : .taken
    }

    /// Whether a thread of a process sleeps until somebody connects, be it among others for which it waits.
    private static func awaitsConnections(_ process: TrackedProcess) -> Bool {
        for thread in ProcFile.numbers("/proc/\(process.hostPid)/task").prefix(mostThreads) {
            guard case .waits(let wait) = ThreadWait.look(process: process.hostPid, thread: thread) else { continue }
            for number in wait.watched(in: process.hostPid) {
                if let socket = try? process.handle?.duplicate(number), socket.isListening { return true }
            }
        }
        return false
    }
}
