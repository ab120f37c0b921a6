import ArgumentParser
import Certification
import Exploration
import Foundation
import Reports
import Scenarios

/// `fracas explore`.
struct ExploreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explore", abstract: "Looks for races in a target that nobody has looked at.",
        discussion: """
            The scenarios say how the target is started, loaded and stopped; they need no faults. A trial of each without any shows \
            what its processes do from the shutdown on that others can see. Then, each kind of thing in turn and what is least \
            like anything tried before it first: the order of two operations on the same thing is inverted, a process is killed \
            at an operation of its own or of another, an operation comes late, the shutdown is asked for again or too early. When \
            everything was tried once, several at a time are.

              fracas explore scenarios/explore --target fixtures/exo --release fixed --budget 10m
              fracas explore scenarios/explore --target fixtures/exo --release fixed --trials 200 --first
              fracas explore scenarios/explore --target fixtures/exo --release fixed --resume reports/20260101-120000-explore
              fracas explore server.yaml --spare main --without orphan --ignore 'SIGTERM of main.worker'

            Exit codes: 0 nothing was found in what was tried, 1 violated, 2 bad usage or input, 3 a trial could not be judged for \
            another reason than that it did not come to its place, or nothing was tried, 130 interrupted: the report comes all the same.
            """)

    @Argument(help: "Scenario files, or directories of them; their own faults are left out.")
    var scenarios: [String]
    @Option(help: "How long: 90s, 10m, 8h. Default: 10m, or none with --trials.")
    var budget: String?
    @Option(help: "At most how many trials.")
    var trials: Int?
    @Flag(help: "End at the first violation.")
    var first = false
    @Option(help: "The step with which the window begins.")
    var from = "shutdown"
    @Option(help: "guided, random (one to three faults at once, drawn with the seed), sweep, inversion or plain.")
    var strategy = "guided"
    @Option(
        help:
            "The directory of an exploration that was interrupted: what it tried counts, also for --trials and --budget."
    )
    var resume: String?
    @OptionGroup var sparing: SparingOptions
    @OptionGroup var options: RunOptions

    func validate() throws {
        if let resume, !FileManager.default.fileExists(atPath: "\(resume)/settings.json") {
            throw ValidationError(
                "--resume takes the directory of an exploration (reports/<time>-explore), not '\(resume)'")
        }
        if let trials, trials < 1 { throw ValidationError("--trials must be at least 1, not \(trials)") }
        if let budget, Span(parsing: budget) == nil {
            throw ValidationError("--budget takes a time such as 90s, 10m or 8h, not '\(budget)'")
        }
        if Explorer.Strategy(rawValue: strategy) == nil {
            let known = Explorer.Strategy.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--strategy is one of \(known), not '\(strategy)'")
        }
    }

    func run() async throws {
        do {
            var (campaign, identity) = try options.prepare("explore", paths: scenarios)
            if options.jobs == nil { campaign.jobs *= ExploreCampaign.jobsPerCore(isWarm: campaign.warm != nil) }
            campaign.keepsOnlyWhatTells = true
            let time = budget.flatMap(Span.init(parsing:))?.upper ?? (trials == nil ? .seconds(600) : nil)
            let explorer = try Explorer(
                campaign.scenarios, window: from, strategy: Explorer.Strategy(rawValue: strategy) ?? .guided,
                seed: campaign.seed, sparing: sparing.sparing(in: campaign.scenarios))
            campaign.scenarios = []
            if options.seed == nil, let seed = resume.flatMap(StoredRun.seed) { campaign.seed = seed }
            let runner = ExploreCampaign(
                explorer, budget: .init(time: time, trials: trials, endsAtViolation: first), campaign: campaign)
            let directory =
                try resume.map(RunDirectory.init(existing:))
                ?? RunDirectory(below: options.reports, name: "explore", time: Date())
            var progress = BudgetProgress(time: time, trials: trials)
            let outcome = try await runner.run(identity: identity, directory: directory, stop: Interruption.stop) {
                progress.show($1)
            }
            try finish(outcome, directory)
        } catch let error as ExplorationError { throw Complaint("\(error)") } catch let error as CertificationError {
            throw Complaint("\(error)")
        } catch let error as ReportError { throw Complaint("\(error)") }
    }

    private func finish(_ outcome: ExploreCampaign.Outcome, _ directory: RunDirectory) throws {
        var report = ExploreReport(outcome)
        let goOn = "go on with the same command and --resume \(directory.path)"
        try Conclusion(outcome.summary, directory).with("coverage.json", outcome.coverage)
            .with("tried.json", outcome.tried)
            .tell(remarks: outcome.summary.interrupted ? [goOn] : []) { summary, directory in
                report.summary = summary
                return options.format == .json
                    ? try Output.encoded(report) : report.text(from: from, directory: directory)
            }
    }
}

/// Progress where nobody knows how many trials there will be.
struct BudgetProgress {
    let time: Duration?
    let trials: Int?
    private var nextPlain = ContinuousClock.now
    private let isTerminal = isatty(2) == 1

    init(time: Duration?, trials: Int?) {
        self.time = time
        self.trials = trials
    }

    mutating func show(_ summary: RunSummary) {
        let now = ContinuousClock.now
        guard isTerminal || now >= nextPlain else { return }
        nextPlain = now + .seconds(5)
        var text = trials.map { "\(summary.trials)/\($0) trials" } ?? "\(summary.trials) trials"
        text += ", \(summary.violated) violated, \(summary.findings.count) findings"
        if let time { text += ", \(max(0, Int(time / .seconds(1) - summary.seconds))) s left" }
        if isTerminal {
            FileHandle.standardError.write(Data("\r\u{1B}[K\(text)".utf8))
        } else {
            Output.complain(text)
        }
    }
}
