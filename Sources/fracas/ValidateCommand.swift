import ArgumentParser
import Deployments
import Foundation

/// `fracas validate`.
struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Says whether a deployed service is healthy.",
        discussion: """
            Exit codes: 0 healthy, 1 not, 2 bad usage or configuration, 3 an unfinished operation could not be settled. With \
            --continuous it goes on until SIGINT or SIGTERM, and says 1 when any validation failed; --format json is one object on \
            one line for each.
            """)

    @OptionGroup var options: DeploymentOptions
    @Flag(help: "Goes on, VALIDATION_INTERVAL seconds apart, until interrupted.")
    var continuous = false
    @Flag(help: "Shows the last validation's report again, without looking at anything.")
    var reportOnly = false
    @Option(help: "From when on messages count: seconds, or as 15m, 1h, 2d before now.")
    var since = "1h"

    func validate() throws {
        if continuous, reportOnly { throw ValidationError("--continuous and --report-only exclude each other") }
        if Self.seconds(since) == nil {
            throw ValidationError("--since takes a time as 90, 15m, 1h or 2d, not '\(since)'")
        }
    }

    private static func seconds(_ text: String) -> Int64? {
        let scale: Int64 = ["s": 1, "m": 60, "h": 3600, "d": 86_400][text.last] ?? 1
        let digits = text.last?.isNumber == true ? text[...] : text.dropLast()
        guard let number = Int64(digits), (0...1_000_000_000).contains(number),
            text.last?.isNumber == true || "smhd".contains(text.last ?? " ")
        else { return nil }
        return number * scale
    }

    func run() async throws {
        let validator = Validator(try options.load(), since: Self.seconds(since) ?? 3600, caller: options.caller)
        let (continuous, reportOnly, isText) = (continuous, reportOnly, options.format == .text)
        let report = try await options.blocking {
            if reportOnly {
                let last = try validator.last()
                if isText { Output.say(last.markdown) }
                return last
            }
            return try continuous
                ? validator.runContinuously { report in
                    if isText {
                        Output.say("\(report.id): \(report.result)")
                    } else if let line = try? Output.line(Answer(report, isStopped: false)) {
                        Output.say(line)
                    }
                } : validator.run()
        }
        // A clean stop is how --continuous ends, so its exit code is that of what was seen.
        if continuous { throw ExitCode(report.isGood ? 0 : 1) }
        try options.finish(report)
    }
}

/// The multi-node check of a validation: Fracas's own short certification of the tree, in a process of its own. It explores nothing: an
/// operator who asked for so many trials waits for so many.
enum NodeCheck {
    @Sendable static func run(_ tree: DeploymentTree, copy: String, trials: Int, deadline: Int64) -> Check {
        let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "fracas"
        let command = [
            program, "certify", "--suite", Installation.scenarios() ?? "scenarios", "--target", copy, "--trials",
            "\(trials)", "--explore", "0", "--python", tree.configuration.python,
            "--reports", "\(tree.logs)/certification",
        ]
        return Check.command("multi-node check", command, tree, deadline: deadline)
    }
}
