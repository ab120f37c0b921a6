import Evidence
public import Platform

/// One look at whether anything in a trial can still go on.
///
/// Where every thread of every process sleeps in a call that has no time limit and that only another of these threads can end, none of
/// them ever will: a deadlock, proven and not merely waited for. Two looks that show the same threads in the same sleep, with no
/// switch between, prove that all slept at the same instant. What comes from elsewhere must be excluded besides: time (alarms and timers,
/// which the gate sees being set), descriptors with something outside of the trial at their other end, and what Fracas itself is about
/// to do. Whatever is not known for sure counts as something that can go on.
public final class Standstill {
    private let table: ProcessTable
    private let processes: [(pid: Int32, state: Character)]
    private let open: OpenDescriptors
    private let reach: NetworkReach
    /// At the other ends of these pipes is Fracas.
    private let captured: Set<String>
    /// What is waited for: pipes and sockets by what they are called, with those at the other ends.
    private var objects: Set<String> = []
    /// Likewise what has no name of its own, by a descriptor of it.
    private var unnamed: [OpenDescriptors.Holder] = []
    private static let mostThreads = 512
    private static let deepest = 4
    /// `O_ASYNC`: a signal comes when there is something at the descriptor, from wherever.
    private static let asynchronous = 0o20000

    /// Looks at the processes of a trial, when none is being started.
    public init(_ table: ProcessTable, _ observation: Observation) {
        self.table = table
        processes = observation.processes()
        open = OpenDescriptors(table)
        reach = NetworkReach(observation, open)
        captured = table.capturedStreams
    }

    /// The sleep of every thread; nil when any can go on, or nothing lives.
    public func waits() -> [ThreadWait]? {
        guard !table.all.contains(where: Self.hasAskedForLater) else { return nil }
        var waits: [ThreadWait] = []
        for (pid, state) in processes where state != "Z" {
            guard let process = table.process(pid: pid), !process.mayBeWoken else {
                return nil
            }
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

    /// Whether nobody outside of the trial has any of what the threads wait for, and no signal comes from there. Asked last, for it
    /// goes through every process of the host that may be looked at.
    public func isSealed() -> Bool {
        for process in open.processes {
            for number in open.numbers(of: process)
            where (open.flags(number, of: process) ?? Self.asynchronous) & Self.asynchronous != 0 { return false }
        }
        let inside = Set(open.processes.map(\.hostPid) + [ProcFile.ownProcess])
        let links = Set(unnamed.map(\.link))
        for pid in ProcFile.numbers("/proc") where !inside.contains(pid) {
            for number in ProcFile.numbers("/proc/\(pid)/fd") {
                guard let link = ProcFile.link("/proc/\(pid)/fd/\(number)") else { continue }
                if objects.contains(link) { return false }
                guard links.contains(link) else { continue }
                for one in unnamed where one.link == link {
                    let isSame = FileIdentity.isSame(number, of: pid, as: one.number, of: one.process.hostPid)
                    if isSame ?? true { return false }
                }
            }
        }
        return true
    }

    /// Whether a process has, or had before it ended, rings by which the kernel does something later: its children have them too.
    private static func hasAskedForLater(_ process: TrackedProcess) -> Bool {
        rings.contains { process.calls[$0] > 0 }
    }

    private static let rings = ["io_uring_setup", "io_setup"].compactMap { CallNames.number(of: $0).map(Int.init) }

    private func needsAnother(_ wait: ThreadWait, _ process: TrackedProcess) -> Bool {
        switch wait.end(in: process.hostPid) {
        case .anotherThread: true
        case .memory(let address): open.isInner(address, of: process)
        case .itself: false
        case .descriptors(let numbers, let isDirect):
            // A thread may have descriptors of its own, `unshare(2)`: then its numbers are not its process's.
            (wait.thread == process.hostPid
                || FileIdentity.haveSameDescriptors(wait.thread, process.hostPid) == true)
                && numbers.allSatisfy { isInner($0, of: process, isDirect: isDirect, depth: 0) }
        }
    }

    /// Whether only processes of the trial can make something come at a descriptor.
    private func isInner(_ number: Int32, of process: TrackedProcess, isDirect: Bool, depth: Int) -> Bool {
        guard let link = open.link(number, of: process) else { return false }
        if link.hasPrefix("pipe:[") { return isInner(pipe: link, number, of: process) }
        if link.hasPrefix("socket:[") {
            guard let socket = try? process.handle?.duplicate(number), !isDirect || !socket.hasTimeLimit,
                let ends = reach.ends(of: socket, link)
            else { return false }
            objects.formUnion(ends)
            return true
        }
        unnamed.append(.init(process: process, number: number, link: link))
        switch link {
        case "anon_inode:[eventfd]", "anon_inode:[signalfd]": return true
        case "anon_inode:[pidfd]":
            return open.detail(number, of: process).contains { line in
                guard line.hasPrefix("Pid:"), let pid = Int32(line.dropFirst(4).filter { !$0.isWhitespace }) else {
                    return false
                }
                return pid < 0 || table.all.contains { $0.hostPid == pid }
            }
        case "anon_inode:[timerfd]":
            return open.detail(number, of: process).contains { $0.hasPrefix("it_value: (0, 0)") }
        case "anon_inode:[eventpoll]":
            return depth < Self.deepest
                && open.watched(by: number, of: process).allSatisfy { target in
                    guard let target else { return false }
                    return isInner(target.number, of: target.process, isDirect: false, depth: depth + 1)
                }
        default: return false
        }
    }

    /// Whoever has the other end of a pipe must be in the trial: what nobody in it has, somebody outside may have been handed, or it is
    /// under way in a socket.
    private func isInner(pipe link: String, _ number: Int32, of process: TrackedProcess) -> Bool {
        guard !captured.contains(link) else { return false }
        objects.insert(link)
        var (reads, writes) = (false, false)
        for holder in open.holders(of: link) {
            guard let flags = open.flags(holder.number, of: holder.process) else { return false }
            if flags & 3 != 1 { reads = true }
            if flags & 3 != 0 { writes = true }
            if reads && writes { return true }
        }
        return (try? process.handle?.duplicate(number))?.hasHungUp ?? false
    }
}
