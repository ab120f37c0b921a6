public import Checkers
public import Evidence
import Foundation
public import Scenarios
public import Schedules

/// What strace(1) is asked to inject into every process of a scenario: fault injection without the gate, for comparison.
///
/// strace can delay a call, answer it, or send its caller a signal, at the n-th time that a thread makes it; it knows nothing of roles
/// or channels, and of orders only what a delay brings about. It injects what an exploration does too (delays, kills, the request),
/// and an interrupted call. Other errors would make correct programs fail: they find nothing about an order.
public struct Strace: Sendable, Equatable {
    /// One thing to inject.
    public struct Injection: Sendable, Equatable {
        /// What is done.
        public enum Action: Sendable, Equatable {
            /// The call comes late.
            case delayEntry
            /// Its caller learns late that it is done.
            case delayExit
            /// It answers that a signal came first.
            case interrupt
            /// Its caller gets a signal.
            case signal(Signal)
        }

        /// At which call.
        public let call: String
        /// What.
        public let action: Action
        /// Which time that a thread makes it, from 1.
        public let nth: Int

        /// Makes one.
        public init(call: String, action: Action, nth: Int) {
            self.call = call
            self.action = action
            self.nth = nth
        }
    }

    /// What is injected.
    public let injections: [Injection]

    /// Makes one.
    public init(_ injections: [Injection]) { self.injections = injections }

    /// The program; nil where it is not in `PATH`.
    public static let path: String? = {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/strace" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }()

    /// No less late than an exploration's delays.
    static let delay_us = 300_000
    /// Calls that may be interrupted at any time and whose callers must try again; the others would have happened, or never are.
    private static let interruptible: Set<String> = [
        "accept", "accept4", "epoll_pwait", "epoll_wait", "poll", "ppoll", "pselect6", "read", "readv", "recvfrom",
        "recvmmsg", "recvmsg", "select", "sendmmsg", "sendmsg", "sendto", "wait4", "waitid", "write", "writev",
    ]

    /// The scenario with every process that Fracas starts under a strace that injects nothing and writes down the calls of it and of what
    /// comes from it: nobody needs the gate to see what a program does.
    /// - Parameters:
    ///   - names: the calls to write down.
    ///   - log: the beginning of the files' names.
    public static func observing(
        _ base: Scenario, calls names: [String], log: String, program: String
    ) -> Scenario {
        traced(base, program: program, name: "strace-reference") { index in
            ["-o", "\(log)-\(index)", "-s", "0", "-e", "trace=\(names.joined(separator: ","))"]
        }
    }

    /// What strace wrote down: which calls there were, and the most times that one thread made each.
    public static func calls(in logs: [String]) -> [String: Int] {
        var counts: [String: [Substring: Int]] = [:]
        for line in logs.flatMap({ $0.split(separator: "\n") }) {
            // 17    write(1, ""..., 3) = 3; what is resumed was counted as it began.
            guard let space = line.firstIndex(of: " "), let paren = line.firstIndex(of: "("), space < paren else {
                continue
            }
            let name = line[space..<paren].drop { $0 == " " }
            guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) else { continue }
            counts[String(name), default: [:]][line[..<space], default: 0] += 1
        }
        return counts.compactMapValues { $0.values.max() }
    }

    /// One or two things at random at some of these calls, the n-th with n up to as many as a thread made, small ones more often.
    public static func drawn(from calls: [String: Int], _ draw: inout SplitMix64) -> Strace {
        var left = calls.keys.sorted()
        let count = min(left.count, draw.number(in: 1...2))
        return Strace(
            (0..<count).map { _ in
                let call = left.remove(at: draw.number(in: 0...(left.count - 1)))
                var actions: [Injection.Action] = [.delayEntry, .delayExit, .signal(.kill), .signal(.terminate)]
                if interruptible.contains(call) { actions.append(.interrupt) }
                let action = actions[draw.number(in: 0...(actions.count - 1))]
                let share = Double(draw.number(in: 0...999_999)) / 1_000_000
                return Injection(call: call, action: action, nth: Int(pow(Double(calls[call, default: 1]) + 1, share)))
            })
    }

    /// The scenario with every process that Fracas starts under strace.
    public func scenario(of base: Scenario, program: String) -> Scenario {
        let calls = Set(injections.map(\.call)).sorted().joined(separator: ",")
        return Self.traced(base, program: program, name: "strace") { _ in
            ["-o", "/dev/null", "-e", "trace=\(calls.isEmpty ? "none" : calls)"]
                + injections.flatMap { ["-e", $0.option] }
        }
    }

    /// The tracer is a grandchild (`-DD`), so that the target stays the process that Fracas started, with its output, signals and
    /// end; the tracer ends with the last that it traces. Its command line contains the target's, so the children's rules
    /// must pass it by.
    private static func traced(
        _ base: Scenario, program: String, name: String, options: (Int) -> [String]
    ) -> Scenario {
        var scenario = base
        scenario.name = "\(base.name)-\(name)"
        for index in scenario.topology.processes.indices {
            scenario.topology.processes[index].command.insert(
                contentsOf: [program, "-DD", "-f", "-qq"] + options(index) + ["--"], at: 0)
        }
        for index in scenario.topology.children.indices {
            let own = scenario.topology.children[index].command.map { "[\\s\\S]*?(?:\($0))" } ?? ""
            scenario.topology.children[index].command = "^(?!\\S*strace -DD )" + own
        }
        return scenario
    }

    /// Judges a trial's ledger anew, with a process that ended by an injected signal excused as one that Fracas itself had killed is:
    /// its exit, what it could not tidy up, what was under way to it. Who really sent the signal strace does not say, so this
    /// spares strace some violations of its own making, and perhaps one that was not.
    public func judged(_ records: [Record]) -> Judgement {
        let signals = Set(
            injections.compactMap { injection -> Signal? in
                if case .signal(let signal) = injection.action { signal } else { nil }
            })
        let interrupts = injections.contains { if case .interrupt = $0.action { true } else { false } }
        var excused: [Record] = []
        for record in records {
            // Nor does it say whose call it answered: a program whose start fails may not have been able to.
            if case .exit(let exit) = record.event, interrupts {
                let injection = Evidence.Injection(fault: "strace", action: "errno EINTR by strace", at: exit.subject)
                excused.append(Record(seq: excused.count, time: record.time, event: .fault(injection)))
            }
            if case .exit(let exit) = record.event, case .signal(let signal)? = exit.status, signals.contains(signal) {
                let injection = Evidence.Injection(
                    fault: "strace", action: "\(signal) by strace", at: exit.subject, targets: [exit.subject])
                excused.append(Record(seq: excused.count, time: record.time, event: .fault(injection)))
            }
            excused.append(Record(seq: excused.count, time: record.time, event: record.event))
        }
        return Judge.judge(excused)
    }

    /// What is injected, for people: strace's own options.
    public var text: String { injections.map(\.option).joined(separator: " ") }
}

extension Strace.Injection {
    /// As strace takes it.
    var option: String {
        let what =
            switch action {
            case .delayEntry: "delay_enter=\(Strace.delay_us)"
            case .delayExit: "delay_exit=\(Strace.delay_us)"
            case .interrupt: "error=EINTR"
            case .signal(let signal): "signal=\(signal)"
            }
        return "inject=\(call):\(what):when=\(nth)"
    }
}
