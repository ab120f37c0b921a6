import ArgumentParser
import Benchmarks
import Certification
import Foundation
import Topologies

/// `fracas bench`.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures Fracas itself, side by side with what it is to be compared with.",
        subcommands: [BenchGateCommand.self, BenchDetectCommand.self, BenchDeployCommand.self])
}

/// `fracas bench gate`.
struct BenchGateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gate", abstract: "Measures what a stopped call costs, and one that is not stopped.",
        discussion: """
            In every round everything is run once: calls without a filter, with a filter that allows them, under a bare C loop \
            of the same ioctls, under the gate, and under strace -f --seccomp-bpf -e inject; then whole programs. The ratios \
            are of figures of the same round. Absolute times depend on the machine and what else it does.
            """)

    @Option(help: "How many rounds.")
    var rounds = 7
    @Option(help: "How many calls a figure is the mean of.")
    var calls = 200_000
    @Option(help: "What standard output carries: text or json.")
    var format: RunOptions.Format = .text
    @Option(help: "The Python interpreter. Default: this directory's .venv, or PATH's.")
    var python: String?

    func validate() throws {
        if !(1...1000).contains(rounds) { throw ValidationError("--rounds must be from 1 to 1000, not \(rounds)") }
        if !(1000...100_000_000).contains(calls) {
            throw ValidationError("--calls must be from 1000 to 100000000, not \(calls)")
        }
    }

    func run() async throws {
        let host = HostCapabilities.probe()
        if let reason = host.refusal { throw Complaint(reason) }
        let interpreter = try Installation.python(given: python, tree: nil, scenario: Installation.program.path).path
        let sandbox = Sandbox.Options(
            launcher: try Installation.program("fracas-launch"), userNamespace: host.needsUserNamespace,
            confinesRoot: host.confinesRoot, visible: Sandbox.shown(Installation.places(pythons: [interpreter])))
        let benchmark = GateBenchmark(
            load: try Installation.program("fracas-load"), calls: calls, rounds: rounds,
            python: interpreter, sandbox: sandbox)
        let report: BenchmarkReport
        do { report = try await Self.onOwnThread { try benchmark.run(progress: Output.complain) } } catch {
            throw Complaint("\(error)")
        }
        print(format == .json ? try Output.encoded(report) : BenchText.text(report))
    }

    /// Runs something that blocks, away from the threads that tasks share.
    static func onOwnThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Result(catching: body)) }
            thread.name = "fracas bench"
            thread.start()
        }
    }
}

/// A benchmark for people.
enum BenchText {
    static func text(_ report: BenchmarkReport) -> String {
        var lines = ["\(report.rounds) rounds on \(report.host)", ""]
        lines.append(line("", ["median", "min", "max"]))
        for row in report.rows {
            let figure = row.figure
            lines.append(
                line(row.name, [figure.median, figure.minimum, figure.maximum].map { number($0) + " " + row.unit }))
        }
        lines += ["", line("ratio, round by round", ["median", "min", "max"])]
        for ratio in report.ratios {
            let figure = ratio.figure
            let aim = ratio.aim.map { "   \($0): \(ratio.isMet == true ? "met" : "MISSED")" } ?? ""
            lines.append(line(ratio.name, [figure.median, figure.minimum, figure.maximum].map(number)) + aim)
        }
        lines += report.notMeasured.map { "not measured: \($0)" }
        return lines.joined(separator: "\n")
    }

    private static func line(_ name: String, _ figures: [String]) -> String {
        name + String(repeating: " ", count: max(1, 58 - name.count))
            + figures.map { String(repeating: " ", count: max(0, 12 - $0.count)) + $0 }.joined()
    }

    private static func number(_ value: Double) -> String {
        let places = value >= 100 ? 1.0 : 100.0
        let rounded = (value * places).rounded() / places
        return places == 1 ? String(Int(rounded)) : String(rounded)
    }
}
