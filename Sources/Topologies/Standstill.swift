public import Platform

/// Looks whether anything in a trial can still go on.
///
/// Where every thread of every process sleeps in a call that has no time limit and that only another of these threads can end, none of
/// them ever will: a deadlock, proven and not merely waited for. Two looks that show the same threads in the same sleep, with no
/// switch between, prove that all slept at the same instant. What comes from elsewhere must be excluded besides: time (alarms and timers,
/// which the gate sees being set), descriptors with something outside of the trial at their other end, and what Fracas itself is about
/// to do. Whatever is not known for sure counts as something that can go on.
public struct Standstill {
    private let table: ProcessTable
    /// At the other ends of these pipes is Fracas.
    private let captured: Set<String>
    private static let mostThreads = 512
    private static let deepest = 4

    /// Looks at the processes of a trial, when none is being started.
    public init(_ table: ProcessTable) {
        self.table = table
        captured = table.capturedStreams
    }

    /// The sleep of every thread; nil when any can go on, or nothing lives.
    public func waits(of observation: Observation) -> [ThreadWait]? {
        var waits: [ThreadWait] = []
        for (pid, state) in observation.processes() where state != "Z" {
            guard let process = table.process(pid: pid), !process.setsTimers else { return nil }
            for thread in ProcFile.numbers("/proc/\(process.hostPid)/task") {
                switch ThreadWait.look(process: process.hostPid, thread: thread) {
                case .ended: continue
                case .other: return nil
                case .waits(let wait):
                    guard waits.count < Self.mostThreads, needsAnother(wait, process) else { return nil }
                    waits.append(wait)
                }
            }
        }
        return waits.isEmpty ? nil : waits
    }

    private func needsAnother(_ wait: ThreadWait, _ process: TrackedProcess) -> Bool {
        switch wait.end(in: process.hostPid) {
        case .anotherThread: true
        case .itself: false
        case .descriptors(let numbers, let isDirect):
            numbers.allSatisfy { isInner($0, of: process, isDirect: isDirect, depth: 0) }
        }
    }

    /// Whether only processes of the trial can make something come at a descriptor.
    private func isInner(_ number: Int32, of process: TrackedProcess, isDirect: Bool, depth: Int) -> Bool {
        guard let link = ProcFile.link("/proc/\(process.hostPid)/fd/\(number)") else { return false }
        if link.hasPrefix("pipe:[") { return !captured.contains(link) }
        if link.hasPrefix("socket:[") {
            guard let socket = try? process.handle?.duplicate(number) else { return false }
            return isInner(socket, isDirect: isDirect)
        }
        switch link {
        case "anon_inode:[eventfd]", "anon_inode:[signalfd]", "anon_inode:[pidfd]": return true
        case "anon_inode:[timerfd]":
            return detail(number, of: process).contains { $0.hasPrefix("it_value: (0, 0)") }
        case "anon_inode:[eventpoll]":
            return depth < Self.deepest
                && watched(by: number, of: process).allSatisfy {
                    isInner($0, of: process, isDirect: false, depth: depth + 1)
                }
        default: return false
        }
    }

    /// A trial has a network of its own, so an internet socket's far end is inside; what is still on its way there is not known.
    /// Sockets of the Unix family can reach what is outside by a path.
    private func isInner(_ socket: Descriptor, isDirect: Bool) -> Bool {
        if isDirect, socket.hasTimeLimit { return false }
        switch socket.peer {
        case .internet(let isSettled): return isSettled
        case .process(let pid): return table.all.contains { $0.hostPid == pid }
        case .other: return false
        }
    }

    /// The descriptors that an epoll watches, `proc_pid_fdinfo(5)`.
    private func watched(by number: Int32, of process: TrackedProcess) -> [Int32] {
        detail(number, of: process).compactMap { line in
            guard line.hasPrefix("tfd:") else { return nil }
            return line.dropFirst(4).split(separator: " ").first.flatMap { Int32($0) }
        }
    }

    private func detail(_ number: Int32, of process: TrackedProcess) -> [Substring] {
        (ProcFile.text("/proc/\(process.hostPid)/fdinfo/\(number)") ?? "").split(separator: "\n")
    }
}
