import ArgumentParser
import Certification
import Checkers
import Evidence
import Exploration
import Foundation
import Glibc
import Reports
import Scenarios

/// `fracas shrink`.
struct ShrinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shrink", abstract: "Finds the smallest schedule that still gives a stored trial's failure.",
        discussion: """
            The ledger of a trial that was violated says what was injected where. Each injection becomes a fault of its own; then \
            faults are taken away, and those that are left made simpler and shorter, as long as the same finding comes again. \
            Whether it does is never judged by one trial: each candidate is run until a sequential test tells its rate from luck. \
            At last each fault is taken away once more, to show that it is needed, and the result is run --confirm times.

            Of a run's directory that trial is taken whose schedule gives the finding most reliably: a race that one trial met by \
            luck, another may have forced.

            What is left is written as a scenario file, like the one the trial came from, for `fracas run` and for keeping. It says \
            which finding it is for ('finding'), and is violated by that one only: on a fix it says in how many trials that is gone. \
            Where the trial's file has changed since, the ledger's own scenario is written out in full.

            With --budget it ends when that is spent, with the smallest schedule so far.

              fracas shrink reports/20260101-120000-explore/ledgers/trial-00007-load-random.jsonl
              fracas shrink reports/20260101-120000-explore --signature 'orphan of node.runner'
              fracas shrink LEDGER --signature 'exit 1 of node' --output scenarios/lost-event.yaml
              fracas run scenarios/lost-event.yaml --target fixtures/exo --release before

            Exit codes: 0 confirmed in at least 95 % of the trials, 1 less often, or not confirmed within the budget, 2 bad usage or \
            input, 3 not reproduced at all, 130 interrupted: what it had so far is written all the same.
            """)

    @Argument(help: "The trial's ledger, or the directory of a run.")
    var path: String
    @Option(help: "Which of its findings, as reports call it. Default: the first; of a run, the most frequent.")
    var signature: String?
    @Option(help: "In how many trials the smallest schedule is confirmed.")
    var confirm = 100
    @Option(help: "How long it may take: 90s, 5m, 1h. Default: as long as it takes.")
    var budget: String?
    @Option(help: "The scenario file to write. Default: <the run's directory>/<the scenario's name>.yaml")
    var output: String?
    @Option(help: "The file that the trial's scenario came from, where the ledger does not say or it is elsewhere now.")
    var scenario: String?
    @OptionGroup var options: RunOptions

    func validate() throws {
        if confirm < 1 { throw ValidationError("--confirm must be at least 1, not \(confirm)") }
        if let budget, Span(parsing: budget) == nil {
            throw ValidationError("--budget takes a time such as 90s, 5m or 1h, not '\(budget)'")
        }
    }

    func run() async throws {
        do { try await shrink() } catch let error as ExplorationError {
            throw Complaint("\(path): \(error)")
        } catch let error as EvidenceError { throw Complaint("\(error)") } catch let error as CertificationError {
            throw Complaint("\(error)")
        } catch let error as ScenarioError { throw Complaint("\(error)") } catch let error as ReportError {
            throw Complaint("\(error)")
        }
    }

    private func shrink() async throws {
        let deadline = budget.flatMap(Span.init(parsing:)).map { ContinuousClock.now + $0.upper }
        var subject = try ShrinkSubject(path, signature: signature, ignoring: options.ignore)
        let header = subject.trials[0].header
        let stored = try StoredTrial(header, options)
        for index in subject.trials.indices {
            let own = try StoredTrial(subject.trials[index].header, options)
            subject.trials[index].whole = try own.scenario(of: subject.trials[index].whole)
            // What a finding is taken from judges nothing else: what is set aside there is asked for by name here.
            subject.trials[index].whole.known = subject.trials[index].header.scenario.known
        }
        stored.tell()
        if let scenario {
            let file = URL(fileURLWithPath: scenario).standardizedFileURL.path
            for index in subject.trials.indices { subject.trials[index].whole.source = file }
        }
        let wholes = subject.trials.map(\.whole)
        // Whether the result can be written is known before the first trial is run.
        let writers = try wholes.map { try writer(of: $0, stored) }
        for whole in wholes { try checkOutput(whole) }
        let near = subject.trials.map { $0.whole.source ?? $0.ledger } + [path]
        let (campaign, identity) = try options.prepare(
            "shrink", wholes, stored.tree, trials: nil, near: near, wasWarm: header.isWarm == true)
        let directory = try RunDirectory(below: options.reports, name: "shrink", time: Date())
        let (result, summary, chosen) = try await Interruption.stop.follow(until: deadline) { stop in
            let chosen = try await choose(subject, campaign, identity, directory, stop)
            let runner = ShrinkCampaign(
                scenario: wholes[chosen], origin: writers[chosen].origin.steps, signature: subject.signature,
                confirm: confirm, campaign: campaign)
            let (result, summary) = await runner.run(
                identity: identity, directory: directory, stop: stop, progress: ShrinkProgress().show)
            return (result, summary, chosen)
        }
        var report = ShrinkReport(
            result, subject.signature, of: wholes[chosen], isOutOfBudget: !Interruption.stop.isSet)
        var failure: String?
        do {
            if let summary { try ReportWriter.write(summary, to: directory) }
            try keep(&report, result, subject.signature, of: wholes[chosen], writers[chosen], directory)
            try directory.write("shrink.json", try Output.encoded(report) + "\n")
        } catch { failure = "\(error)" }
        // What was found is told, wherever it can be written.
        print(options.format == .json ? try Output.encoded(report) : report.text)
        if let failure { Output.complain(failure) }
        throw ExitCode(failure != nil && report.exitCode == 0 ? 3 : report.exitCode)
    }

    /// Writes like the file that a trial came from; where that has changed since, in full.
    private func writer(of whole: Scenario, _ stored: StoredTrial) throws -> ScenarioWriter {
        do { return try ScenarioWriter(originOf: whole, variables: stored.given) } catch {
            guard scenario == nil else { throw error }
            Output.complain("\(error)\nThe result will be written in full, from the ledger's own scenario.")
            return ScenarioWriter(ownOf: whole)
        }
    }

    /// Which of several trials is shrunk: one whose schedule gives the finding again nearly always, if there is one.
    private func choose(
        _ subject: ShrinkSubject, _ campaign: Campaign, _ identity: TargetIdentity?, _ directory: RunDirectory,
        _ stop: StopSignal
    ) async throws -> Int {
        guard subject.trials.count > 1 else { return 0 }
        let scratch = try directory.below("scratch")
        defer { try? FileManager.default.removeItem(atPath: scratch.path) }
        let names = subject.trials.map { URL(fileURLWithPath: $0.ledger).deletingPathExtension().lastPathComponent }
        return await ShrinkCampaign.mostReliable(
            of: zip(names, subject.trials.map(\.whole)).map { ($0, $1) }, signature: subject.signature,
            campaign: campaign, identity: identity, directory: scratch, stop: stop,
            progress: ShrinkProgress().show)
    }

    private func checkOutput(_ whole: Scenario) throws {
        guard let output else { return }
        let file = URL(fileURLWithPath: output).standardizedFileURL
        guard file.path != whole.source else {
            throw Complaint("--output '\(output)' is the file that the trial's scenario came from: give another name")
        }
        guard file.pathExtension == "yaml", access(file.deletingLastPathComponent().path, W_OK) == 0 else {
            throw Complaint(
                "--output '\(output)' must be the name of a .yaml file in a directory that can be written to")
        }
    }

    /// Writes the scenario that gives the failure, if there is one.
    private func keep(
        _ report: inout ShrinkReport, _ result: Shrunk, _ signature: String, of whole: Scenario,
        _ writer: ScenarioWriter,
        _ directory: RunDirectory
    ) throws {
        guard result.whole.reproduced > 0 else { return }
        var scenario = result.scenario
        scenario.summary = report.summary
        scenario.finding = signature
        let path = output ?? "\(directory.path)/\(whole.name).yaml"
        let text = try writer.text(of: scenario, at: path, comment: report.comment)
        do { try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw Complaint("write '\(path)': \(error.localizedDescription)")
        }
        report.file = path
    }
}
