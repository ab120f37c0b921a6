import ArgumentParser

/// `fracas run`.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs scenarios, by default each once, and says whether they held.",
        discussion: "Reports and ledgers go to reports/<time>-run/.")

    @Argument(help: "Scenario files, or directories of them.")
    var scenarios: [String]
    @Option(help: "How many trials in all; scenarios take turns. Default: one each.")
    var trials: Int?
    @Flag(help: "Begin no new trial after the first violation.")
    var stopAtViolation = false
    @OptionGroup var options: RunOptions

    func validate() throws {
        if let trials, trials < 1 { throw ValidationError("--trials must be at least 1, not \(trials)") }
    }

    func run() async throws {
        try await options.run("run", paths: scenarios, trials: trials, stopsAtViolation: stopAtViolation)
    }
}
