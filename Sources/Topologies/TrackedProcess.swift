public import Evidence
import Glibc
public import Platform
public import Scenarios

/// One process of a trial. Used under the trial's lock.
public final class TrackedProcess {
    /// The process id in our own pid namespace.
    public let hostPid: Int32
    /// The process id inside the trial.
    public let pid: Int32
    /// Its parent's id inside the trial when it was born.
    public let parent: Int32
    /// Whether Fracas started it itself.
    public let isTopLevel: Bool
    /// Its pidfd; nil when the process was gone before one could be had.
    public let handle: ProcessHandle?
    /// Its role, once known.
    public internal(set) var role: Role? { didSet { standing = nil } }
    /// Whether it has its role by a program that it has executed.
    var hasRoleOfProgram = false
    /// How it came to be what it is.
    public internal(set) var start = Topology.Start.fork
    /// Whether its next call must be looked at, be it that it announces nothing.
    var needsLook = false
    /// The program in its memory, as it was when it was last looked at.
    var image: ProcessImage?
    /// The arguments with which it last entered `execve(2)`, joined by spaces, and where they are in its memory.
    var arguments: (address: UInt64, text: String)?
    /// What is known of the `execve(2)` that it has entered, as long as it has not shown itself since.
    var programChange: ProgramChange?
    /// Whether everything that it had made when it ended is known: it called `exit_group(2)` as its only thread.
    var hasLeftKnownChildren = false
    /// Whose child it is is not known: its parent had ended, unseen, before it showed itself.
    public internal(set) var hasUnknownParent = false
    /// The names of its captured streams (`pipe:[…]`): 1 is standard output, 2 standard error.
    public var streams: [Int32: String] = [:]
    /// Its descriptors when it was born, as links: what it holds beyond them at its exit is its own.
    public internal(set) var bornWith: Set<String> = []
    /// The names of its descriptors' objects when it called `exit_group(2)`: it may have been a channel's other end.
    public var heldAtExit: Set<String> = []
    /// The code it gave to `exit_group(2)`, if it has.
    public var exitCode: Int32?
    /// How it ended, as `wait(2)` gives it, as init told us.
    public var reapedStatus: Int32?
    /// Whether its program runs, or ran: for one that Fracas started, from when the launcher was replaced by it.
    public var runs = false
    /// What the launcher has open in it (`pipe:[…]`) until its program takes the launcher's place; nil for one that Fracas did not start.
    public var launcherHolds: String?
    /// Why its program could not be started; nil where it was, or for one that Fracas did not start.
    public var startFailure: String?
    /// What the ledger last said of it.
    public var lastBirth: Birth?
    /// What bears on whether it can go on, and on who is to blame for what it does.
    public var dealings = Dealings()
    /// Whether its end was recorded.
    public var hasExited = false
    /// How many calls of each number were intercepted, for the ledger. Indexed by number; numbers past the end share the last.
    public let calls: UnsafeMutableBufferPointer<Int32>
    /// What the gate keeps with it: which of the plan's points it can reach, and as whom it is counted. Nil until looked up, and
    /// again when its role has changed.
    public var standing: Standing?

    /// A program is about to take another's place.
    struct ProgramChange {
        /// The thread that has entered `execve(2)`.
        let thread: Int32
        /// What was there before; nil where that could not be seen, and for a process that is to begin anew without `execve(2)`.
        let before: ProcessImage?
        /// What the process was called before.
        let name: String?
        /// Whether it had executed a program before.
        let hadExecuted: Bool
        /// The new program's arguments joined by spaces.
        let command: String
        /// Whether it has its role by its new program, and has yet to show itself.
        var isSettled = false
    }

    /// Which points of a plan a process can reach.
    public struct Standing {
        /// A bit for each decision of the schedule.
        public let points: PointSet
        /// As whom its arrivals are counted.
        public let slot: Int
        /// Makes a standing.
        public init(points: PointSet, slot: Int) {
            self.points = points
            self.slot = slot
        }
    }

    /// A set of decisions of a schedule, by their places: at most as many as it has bits.
    public typealias PointSet = SIMD4<UInt64>

    private static let callNumbers = 512

    init(hostPid: Int32, pid: Int32, parent: Int32, handle: ProcessHandle?, isTopLevel: Bool) {
        self.hostPid = hostPid
        self.pid = pid
        self.parent = parent
        self.handle = handle
        self.isTopLevel = isTopLevel
        calls = .allocate(capacity: Self.callNumbers)
        calls.initialize(repeating: 0)
    }

    deinit { calls.deallocate() }

    /// The number under which calls are counted that have none here.
    public static let otherCalls = Int32(callNumbers - 1)

    /// Counts one intercepted call.
    public func count(call: Int32) {
        calls[Int(call) & (Self.callNumbers - 1) == Int(call) ? Int(call) : Self.callNumbers - 1] += 1
    }

    /// What the ledger calls it.
    public var subject: Subject { Subject(pid: pid, role: role) }

    /// Whether this signal ends it: one that cannot be, or is not, caught, ignored or blocked, and whose default is to end.
    public func isEnded(by signal: Signal) -> Bool {
        if signal == .kill { return true }
        let harmless = ["SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGWINCH"]
        guard !harmless.contains(signal.description), let status = ProcFile.text("/proc/\(hostPid)/status") else {
            return false
        }
        let bit = UInt64(1) << UInt64(signal.number - 1)
        let isHandled = ["SigCgt:", "SigIgn:", "SigBlk:"].contains { name in
            let mask = ProcFile.field(name, in: status).flatMap { UInt64($0, radix: 16) } ?? 0
            return mask & bit != 0
        }
        return !isHandled && !waitsForSignals
    }

    /// Whether one of its threads waits for signals: those are blocked, which the kernel does not show meanwhile, `rt_sigtimedwait(2)`.
    private var waitsForSignals: Bool {
        ProcFile.numbers("/proc/\(hostPid)/task").contains { thread in
            let call = ProcFile.text("/proc/\(hostPid)/task/\(thread)/syscall")?.prefix { $0 != " " } ?? ""
            return Int32(call).flatMap { CallNames.name(of: $0) } == "rt_sigtimedwait"
        }
    }

    /// Whether it has no other thread than its first.
    public var hasOneThread: Bool { ProcessStat(of: hostPid)?.threads == 1 }

    /// The names of its open descriptors' objects by number.
    public func descriptors() -> [Int32: String] {
        let directory = "/proc/\(hostPid)/fd"
        var links: [Int32: String] = [:]
        for number in ProcFile.numbers(directory) { links[number] = ProcFile.link("\(directory)/\(number)") }
        return links
    }
}
