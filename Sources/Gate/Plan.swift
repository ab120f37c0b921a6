import Evidence
import Glibc
import Platform
import Scenarios
import Schedules
import Topologies

/// One decision of a schedule in the form the gate looks it up in: names resolved, patterns compiled. Immutable.
final class Rule: Sendable {
    /// Its place in the schedule.
    let index: Int
    let name: String
    /// What is done; nil for a named point.
    let action: Fault.Action?
    /// Where; nil when it is placed by time.
    let point: Point?
    /// Whether every call of its name is at its point.
    let isUnconditional: Bool
    /// How long it lasts, in nanoseconds.
    let length: Int64?
    /// How many bytes a short transfer may have.
    let bytes: Int
    /// The decisions that must, or must not, have come before.
    let after: Int?
    let before: Int?
    /// What a hold waits for.
    let until: Int?
    /// The channel that the descriptor must be, by its place in the topology.
    let channel: Int?
    /// The numbers of its point's calls where they are several, in their order; a call that this machine has not is -1.
    let calls: [Int32]

    init(_ decision: Schedule.Decision, index: Int, names: [String: Int], channels: [String]) {
        self.index = index
        name = decision.name
        action = decision.action
        point = decision.point
        if case .calls = decision.point?.place {
            isUnconditional = decision.point?.conditions == Conditions()
        } else {
            isUnconditional = false
        }
        length = decision.length
        bytes = decision.bytes
        after = decision.point?.window.after.flatMap { names[$0] }
        before = decision.point?.window.before.flatMap { names[$0] }
        if case .hold(let name, _) = decision.action { until = names[name] } else { until = nil }
        channel = decision.point?.conditions.channel.flatMap { channels.firstIndex(of: $0) }
        if case .calls(let names)? = decision.point?.place, names.count > 1 {
            calls = names.map { CallNames.number(of: $0) ?? -1 }
        } else {
            calls = []
        }
    }

    /// Which of its point's calls a call is; 0 where it has one.
    func place(of call: Int32) -> Int {
        for index in calls.indices where calls[index] == call { return index }
        return 0
    }

    /// Whether it happens when the call returns, or needs to see that.
    var needsTracing: Bool {
        if case .short = action { return true }
        return point?.moment == .exit
    }
}

/// What a trial's gate looks for, by system call: which decisions can be reached at a call is one load, and whether a process
/// can reach any of them one more.
struct Plan {
    /// What a call is to the gate itself, whatever the scenario.
    struct Meaning: OptionSet {
        let rawValue: UInt16
        /// A C library makes it first in a new process, thread or program.
        static let announces = Meaning(rawValue: 1)
        /// It puts another program in the place of its caller's.
        static let executes = Meaning(rawValue: 2)
        /// It ends the process.
        static let ends = Meaning(rawValue: 4)
        /// It has something happen later.
        static let setsTimer = Meaning(rawValue: 8)
        /// It may wait, and a signal with a handler then ends it with `EINTR`, `signal(7)`.
        static let waits = Meaning(rawValue: 16)
        /// What it has done later, or in memory, no filter sees.
        static let goesUnseen = Meaning(rawValue: 32)
        /// It ends a signal handler.
        static let endsHandler = Meaning(rawValue: 64)
        /// It makes a process or thread; where a signal is pending the kernel begins it again after the handler, whatever its flags.
        static let makesProcess = Meaning(rawValue: 128)
        /// What the gate looks up at it takes longer than a look.
        static let takesLonger: Meaning = [.announces, .executes, .ends, .endsHandler]
        /// A socket begins to take connections or datagrams by it.
        static let listens = Meaning(rawValue: 256)
        /// By some of its commands the kernel is to send signals.
        static let asksForSignals = Meaning(rawValue: 512)
        /// It ends its thread, and the process with the last one.
        static let endsThread = Meaning(rawValue: 1024)
    }

    /// The most decisions a schedule may have: a process's points are a set of as many bits.
    static let mostRules = 256
    private static let callNumbers = 512

    let rules: [Rule]
    /// What windows and holds can refer to: the names of the rules, then those of the steps.
    let names: [String]
    let write = CallNames.number(of: "write") ?? -1
    let writev = CallNames.number(of: "writev") ?? -1
    let execveat = CallNames.number(of: "execveat") ?? -1
    let restart = CallNames.number(of: "restart_syscall") ?? -1
    let returnFromSignal = CallNames.number(of: "rt_sigreturn") ?? -1
    /// What is known of each call, by number.
    let calls: [SystemCall?]
    private var points: [TrackedProcess.PointSet]
    private var meanings: [Meaning]

    /// Compiles a schedule.
    /// - Throws: `GateError` when it has more decisions than a plan can hold.
    init(_ schedule: Schedule, _ scenario: Scenario) throws(GateError) {
        guard schedule.decisions.count <= Self.mostRules else {
            throw GateError("a scenario may have \(Self.mostRules) faults and points, not \(schedule.decisions.count)")
        }
        var names: [String: Int] = [:]
        let all = schedule.decisions.map(\.name) + scenario.steps.map(\.name)
        // A fault or point goes before a step of the same name.
        for (index, name) in all.enumerated().reversed() { names[name] = index }
        self.names = all
        let channels = scenario.topology.channels.map(\.name)
        rules = schedule.decisions.enumerated().map {
            Rule($0.element, index: $0.offset, names: names, channels: channels)
        }
        points = Array(repeating: .zero, count: Self.callNumbers)
        meanings = Array(repeating: [], count: Self.callNumbers)
        var known = [SystemCall?](repeating: nil, count: Self.callNumbers)
        for name in SystemCalls.names {
            guard let number = CallNames.number(of: name), number < Self.callNumbers else { continue }
            known[Int(number)] = SystemCalls.call(name)
        }
        calls = known
        for rule in rules {
            for number in numbers(of: rule.point) where number >= 0 && number < Self.callNumbers {
                points[Int(number)][rule.index >> 6] |= 1 << UInt64(rule.index & 63)
            }
        }
        for (names, meaning) in [
            (["set_tid_address", "set_robust_list"], Meaning.announces), (["execve", "execveat"], .executes),
            (["exit_group"], .ends), (["exit"], .endsThread), (Filter.timerCalls, .setsTimer),
            (Filter.unseenCalls, .goesUnseen),
            (Filter.signalCalls, .endsHandler), (["clone", "clone3", "fork", "vfork"], .makesProcess),
            (SystemCalls.interruptible, .waits),
            (["fcntl"], .asksForSignals),
            (scenario.waitsForListener ? Filter.listenCalls : [], .listens),
        ] {
            for number in names.compactMap(CallNames.number) { meanings[Int(number)].insert(meaning) }
        }
    }

    private func numbers(of point: Point?) -> [Int32] {
        switch point?.place {
        case .calls(let names): names.compactMap(CallNames.number)
        case .line: [write, writev]
        case .mark: [write]
        case nil: []
        }
    }

    /// The decisions whose points are at this call.
    func points(at call: Int32) -> TrackedProcess.PointSet {
        call >= 0 && call < Self.callNumbers ? points[Int(call)] : .zero
    }

    /// What this call is to the gate itself.
    func meaning(of call: Int32) -> Meaning { call >= 0 && call < Self.callNumbers ? meanings[Int(call)] : [] }

    /// Whether the gate's filter stops it, be it only with some arguments.
    func stops(_ call: Int32) -> Bool {
        call == write || call == returnFromSignal || points(at: call) != .zero
            || !meaning(of: call).isDisjoint(with: [.announces, .executes, .ends, .endsThread, .setsTimer, .goesUnseen])
    }

    /// What is known of a call.
    func known(_ call: Int32) -> SystemCall? { call >= 0 && call < Self.callNumbers ? calls[Int(call)] : nil }

    /// The decisions whose points a process can reach: by its own role, or by one above it.
    func points(reachableBy roles: [Role], own: Role?) -> TrackedProcess.PointSet {
        var set = TrackedProcess.PointSet.zero
        for rule in rules {
            guard let point = rule.point else { continue }
            let matches =
                point.includesDescendants
                ? roles.contains(where: point.roles.matches) : own.map(point.roles.matches) ?? false
            if matches { set[rule.index >> 6] |= 1 << UInt64(rule.index & 63) }
        }
        return set
    }
}
