import Checkers
import Evidence
import Foundation
import Glibc
import Platform
import Scenarios
public import Topologies
import Trials

/// What the gate costs: per call, beside the least that the kernel's mechanism allows and beside strace(1); and for whole
/// programs, with calls that the plan names and with calls that it does not.
public struct GateBenchmark: Sendable {
    /// The path of `fracas-load`.
    public var load: String
    /// How many calls a figure is the mean of.
    public var calls: Int
    /// How many rounds.
    public var rounds: Int
    /// A Python interpreter for a whole program.
    public var python: String
    /// What trials run in.
    public var sandbox: Sandbox.Options

    /// Makes a benchmark.
    public init(load: String, calls: Int, rounds: Int, python: String, sandbox: Sandbox.Options) {
        self.load = load
        self.calls = calls
        self.rounds = rounds
        self.python = python
        self.sandbox = sandbox
    }

    /// One way of doing the work: its name, its unit, and how to run it once.
    private struct Mode {
        let name: String
        let unit: String
        let run: () throws -> Double
    }

    /// strace is slow enough that fewer calls give as good a mean.
    private static let straceShare = 10

    /// Measures, round by round, everything once in each.
    /// - Parameter progress: called before each run with what it is.
    /// - Throws: `BenchmarkError` when something cannot be run.
    public func run(progress: (String) -> Void) throws -> BenchmarkReport {
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("fracas-bench-\(UUID().uuidString)")
            .path
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        try Self.makeFiles(below: scratch)
        var options = sandbox
        options.writable.append(scratch)
        let runner = ProgramRunner(sandbox: options)
        let strace = Strace.path
        let programs = programs(scratch)
        let modes = callModes(runner, strace) + programs.flatMap { programModes($0, runner, strace) }
        var samples = Samples()
        for round in 1...rounds {
            // Each round begins with another, so that none always comes after the same.
            for index in modes.indices {
                let mode = modes[(index + round) % modes.count]
                progress("round \(round) of \(rounds): \(mode.name)")
                samples.add(mode.name, try mode.run())
            }
        }
        return report(samples, modes, programs, strace)
    }

    // MARK: calls

    private func callModes(_ runner: ProgramRunner, _ strace: String?) -> [Mode] {
        let plain = [load, "calls", String(calls)]
        var modes = [
            Mode(name: "no filter", unit: "ns") { try runner.plain(plain) },
            Mode(name: "filter that allows", unit: "ns") { try runner.plain([load, "allow", String(calls)]) },
            Mode(name: "bare loop", unit: "ns") { try runner.plain([load, "loop", String(calls)]) },
            Mode(name: "bare loop with epoll", unit: "ns") {
                try runner.plain([load, "loop", String(calls), "--epoll"])
            },
            Mode(name: "gate", unit: "ns") { try runner.gated(plain, stopping: ["getppid"]) },
        ]
        if let strace {
            let fewer = [load, "calls", String(max(1, calls / Self.straceShare))]
            modes.append(
                Mode(name: "strace", unit: "ns") { try runner.plain(Self.straced(strace, "getppid", fewer)) })
        }
        return modes
    }

    /// strace with an injection that never comes about. What it prints of the calls it throws away; without tracing a call it
    /// would not stop it either.
    private static func straced(_ strace: String, _ call: String, _ command: [String]) -> [String] {
        [strace, "-f", "--seccomp-bpf", "-qqq", "-o", "/dev/null", "-e", "trace=\(call)", "-e"]
            + ["inject=\(call):error=EPERM:when=65535", "--"] + command
    }

    // MARK: whole programs

    private struct Program {
        let name: String
        let command: [String]
        /// A call that it makes often.
        let call: String
        /// Whether it is a program as people run them, and so held to the aim; the last one is there for what births cost.
        let isOrdinary: Bool
    }

    private func programs(_ scratch: String) -> [Program] {
        [
            Program(
                name: "Python imports",
                command: [python, "-c", "import asyncio, json, http.client, multiprocessing, email.message"],
                call: "openat",
                isOrdinary: true),
            Program(
                name: "tar of 2,000 files", command: ["tar", "-cf", "/dev/null", "-C", scratch, "."],
                call: "newfstatat",
                isOrdinary: true),
            Program(
                name: "64 processes", command: [load, "calls", "2000", "64"], call: "getppid", isOrdinary: false),
        ]
    }

    private func programModes(_ program: Program, _ runner: ProgramRunner, _ strace: String?) -> [Mode] {
        let timed = [load, "time"] + program.command
        var modes = [
            Mode(name: "\(program.name), natural", unit: "ms") { try runner.plain(timed) / 1e6 },
            Mode(name: "\(program.name), not named", unit: "ms") {
                try runner.gated(timed, stopping: ["getsid"]) / 1e6
            },
            Mode(name: "\(program.name), gate", unit: "ms") { try runner.gated(timed, stopping: [program.call]) / 1e6 },
        ]
        if let strace {
            modes.append(
                Mode(name: "\(program.name), strace", unit: "ms") {
                    try runner.plain(Self.straced(strace, program.call, timed)) / 1e6
                })
        }
        return modes
    }

    private static func makeFiles(below scratch: String) throws {
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        for number in 0..<2000 {
            try Data(String(number).utf8).write(to: URL(fileURLWithPath: "\(scratch)/\(number)"))
        }
    }

    // MARK: what came of it

    private func report(_ samples: Samples, _ modes: [Mode], _ programs: [Program], _ strace: String?)
        -> BenchmarkReport
    {
        var ratios = [
            samples.ratio("gate", over: "bare loop", atMost: 1.15),
            samples.ratio("gate", over: "bare loop with epoll"),
            samples.ratio("strace", over: "gate", atLeast: 15),
            samples.ratio("filter that allows", over: "no filter"),
        ]
        for program in programs {
            let name = program.name
            let aim = program.isOrdinary ? 1.05 : nil
            ratios.append(samples.ratio("\(name), not named", over: "\(name), natural", atMost: aim))
            ratios.append(samples.ratio("\(name), gate", over: "\(name), natural"))
            ratios.append(samples.ratio("\(name), strace", over: "\(name), gate"))
        }
        return BenchmarkReport(
            rounds: rounds, rows: modes.compactMap { samples.row($0.name, unit: $0.unit) },
            ratios: ratios.compactMap(\.self),
            notMeasured: strace == nil ? ["strace: it is not in PATH (apt-get install strace)"] : [],
            host:
                "Linux \(KernelVersion.running.major).\(KernelVersion.running.minor), \(ProcessInfo.processInfo.activeProcessorCount) cores"
        )
    }
}
