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

/// `fracas certify`.
struct CertifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certify", abstract: "Runs the whole suite often enough for a verdict on the failure rate.",
        discussion: """
            299 trials without a violation bound the failure rate below 1 % at 95 % confidence. \
            The scenarios of the suite take turns, each trial with a seed of its own.
            """)

    @Option(help: "The directory of the suite's scenarios.")
    var suite = "scenarios"
    @Option(help: "How many trials in all.")
    var trials = 299
    @OptionGroup var options: RunOptions

    func validate() throws {
        if trials < 1 { throw ValidationError("--trials must be at least 1, not \(trials)") }
    }

    func run() async throws {
        if options.target == nil { throw Complaint("certify needs --target: the tree about to be deployed") }
        try await options.run("certify", paths: [suite], trials: trials)
    }
}
