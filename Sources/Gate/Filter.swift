import CSeccomp
import Glibc
public import Platform
import Schedules
public import Scenarios
import SystemPackage

/// The error type of this module: what was attempted, and why it failed.
public struct GateError: Error, CustomStringConvertible, Sendable {
    /// What was attempted, what went wrong, what to do.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// The seccomp program of a scenario: the smallest one that hands the gate the calls its faults can fire at, those that
/// tell of new processes, of their ends and of timers, and marks. Every other call the kernel lets through by itself.
public struct Filter: Sendable {
    /// The number of the descriptor that marks are written to: "FRAC", far past any descriptor limit.
    public static let markDescriptor: UInt64 = 0x4652_4143

    /// The compiled program, an array of `struct sock_filter`, in a file of its own.
    public let program: Descriptor

    /// Calls that tell of processes: a C library makes one of the first two before anything else in a new process or
    /// program, the rest announce a new program and the end. A child without a C library may make no other call than `exit(2)`.
    static let lifeCalls = ["set_tid_address", "set_robust_list", "execve", "execveat", "exit_group", "exit"]
    /// The end of a signal handler: what the signal broke off is looked at there.
    static let signalCalls = ["rt_sigreturn"]
    /// Calls by which a process has something happen later of which nothing else tells, as far as this machine has them.
    static let timerCalls = ["alarm", "setitimer", "timer_create", "io_setup", "io_uring_setup"].filter {
        CallNames.number(of: $0) != nil
    }
    /// Calls by which a process has its work done in a way that no filter sees, `io_uring(7)` and `io_submit(2)`.
    static let unseenCalls = ["io_uring_setup", "io_setup"].filter { CallNames.number(of: $0) != nil }
    static let lineCalls = ["write", "writev"]
    /// Calls by which a socket begins to take connections or datagrams.
    static let listenCalls = ["listen", "bind"]

    /// Whether `fcntl(2)` with this command has the kernel send signals for what others do to a file: `F_NOTIFY`, `F_SETLEASE`. That of
    /// `O_ASYNC` a descriptor itself tells.
    static func asksForSignals(_ command: UInt64) -> Bool { signalCommands.contains(command & 0xFFFF_FFFF) }
    private static let signalCommands: [UInt64] = [1026, 1024]

    /// Compiles the program for a scenario.
    /// - Throws: `GateError` when this kernel or libseccomp cannot do it.
    public init(for scenario: Scenario) throws(GateError) {
        guard let context = seccomp_init(fracas_action_allow) else { throw GateError("libseccomp: out of memory") }
        defer { seccomp_release(context) }
        // Calls as 32-bit programs make them, and x32 ones: a filter for x86-64 knows their numbers by other names.
        seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, fracas_action_notify)
        var whole = Set(Self.lifeCalls + Self.signalCalls + Self.timerCalls)
        var lines = false
        var marks = true
        // Calls that matter only with a certain argument, which the kernel looks at by itself.
        var narrow: [String: [[ArgumentCondition]]] = [:]
        for point in scenario.faults.compactMap(\.point) + scenario.points.map(\.point) {
            switch point.place {
            case .line: lines = true
            case .mark: break
            case .calls(let names):
                let arguments = point.conditions.arguments.filter {
                    $0.comparison == .equal || $0.comparison == .hasBits
                }
                for name in names { narrow[name, default: []].append(arguments) }
            }
        }
        if scenario.waitsForListener { whole.formUnion(Self.listenCalls) }
        for (name, sets) in narrow where sets.contains(where: \.isEmpty) { whole.insert(name) }
        // Whoever sees the second notification of a followed call must see it whatever its arguments have become.
        if scenario.faults.contains(where: { if case .short = $0.action { true } else { false } }) {
            whole.formUnion(narrow.keys)
        }
        narrow["fcntl", default: []] += Self.signalCommands.map {
            [ArgumentCondition(index: 1, comparison: .equal, value: $0)]
        }
        if whole.contains("write") { marks = false }
        for name in whole.sorted() { try Self.add(name, to: context) }
        for (name, sets) in narrow.sorted(by: { $0.key < $1.key }) where !whole.contains(name) {
            for set in Set(sets) { try Self.add(name, to: context, set) }
        }
        if marks { try Self.add("write", to: context, [Self.isDescriptor(Self.markDescriptor)]) }
        for name in Self.lineCalls where lines && !whole.contains(name) {
            for stream: UInt64 in [1, 2] { try Self.add(name, to: context, [Self.isDescriptor(stream)]) }
        }
        // The tree search is only worth its few instructions with many rules; libseccomp refuses it with very few.
        if whole.count > 12 { seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2) }
        do {
            program = try Descriptor.memory("fracas-filter")
        } catch { throw GateError("make a file for the filter: \(error)") }
        let result = seccomp_export_bpf(context, program.raw)
        guard result == 0 else { throw GateError("compile the filter: \(Errno(rawValue: -result))") }
    }

    private static func isDescriptor(_ number: UInt64) -> ArgumentCondition {
        ArgumentCondition(index: 0, comparison: .equal, value: number)
    }

    private static func add(
        _ name: String, to context: scmp_filter_ctx, _ arguments: [ArgumentCondition] = []
    ) throws(GateError) {
        let number = seccomp_syscall_resolve_name(name)
        guard number >= 0 else {
            throw GateError("the system call '\(name)' does not exist on this machine's architecture")
        }
        // libseccomp takes one condition an argument; a call that meets this one is looked at whole by the gate.
        var seen: Set<Int> = []
        let conditions = arguments.filter { seen.insert($0.index).inserted }.map { condition in
            let mask = condition.comparison == .hasBits ? condition.value : condition.equalityMask
            return scmp_arg_cmp(
                arg: UInt32(condition.index), op: SCMP_CMP_MASKED_EQ, datum_a: mask, datum_b: condition.value & mask)
        }
        let result = seccomp_rule_add_array(context, fracas_action_notify, number, UInt32(conditions.count), conditions)
        guard result == 0 else {
            throw GateError(
                "intercept '\(name)': \(Errno(rawValue: -result)) (seccomp user notification needs Linux 5.5; see 'fracas doctor')"
            )
        }
    }
}
