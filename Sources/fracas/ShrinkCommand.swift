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

            What is left is written as a scenario file, like the one the trial came from, for `fracas run` and for keeping:

              fracas shrink reports/20260101-120000-explore/ledgers/trial-00007-load-random.jsonl
              fracas shrink LEDGER --signature 'exit 1 of node' --output scenarios/lost-event.yaml
              fracas run scenarios/lost-event.yaml --target fixtures/exo --release before

            Exit codes: 0 confirmed in at least 95 % of the trials, 1 less often, 2 bad usage or input, 3 not reproduced at all, \
            130 interrupted: what it had so far is written all the same.
            """)

    @Argument(help: "The trial's ledger.")
    var ledger: String
    @Option(help: "Which of its findings, as reports call it. Default: the first.")
    var signature: String?
    @Option(help: "In how many trials the smallest schedule is confirmed.")
    var confirm = 100
    @Option(help: "The scenario file to write. Default: <the run's directory>/<the scenario's name>.yaml")
    var output: String?
    @Option(help: "The file that the trial's scenario came from, where the ledger does not say or it is elsewhere now.")
    var scenario: String?
    @OptionGroup var options: RunOptions

    func validate() throws {
        if confirm < 1 { throw ValidationError("--confirm must be at least 1, not \(confirm)") }
    }

    func run() async throws {
        do { try await shrink() } catch let error as ExplorationError {
            throw Complaint("\(ledger): \(error)")
        } catch let error as EvidenceError { throw Complaint("\(error)") } catch let error as CertificationError {
            throw Complaint("\(error)")
        } catch let error as ScenarioError { throw Complaint("\(error)") } catch let error as ReportError {
            throw Complaint("\(error)")
        }
    }

    private func shrink() async throws {
        let records = try LedgerFile.read(ledger)
        let signature = try finding(in: records)
        var whole = try Replay.scenario(of: records)
        if let scenario { whole.source = URL(fileURLWithPath: scenario).standardizedFileURL.path }
        guard case .trial(let header)? = records.first?.event else { return }
        guard options.target == nil, options.release == nil, options.control == nil else {
            throw Complaint(
                "the target is that of the trial, which the ledger names: leave out --target, --release, --control")
        }
        let tree = try options.tree(header.target, release: header.release, control: header.control)
        // Whether the result can be written is known before the first trial is run.
        let writer = try ScenarioWriter(originOf: whole, variables: options.variables(tree))
        try checkOutput(whole)
        let near = [ledger, whole.source ?? ledger]
        let (campaign, identity) = try options.prepare("shrink", [whole], tree, trials: nil, near: near)
        let directory = try RunDirectory(below: options.reports, name: "shrink", time: Date())
        let runner = ShrinkCampaign(
            scenario: whole, origin: writer.origin.steps, signature: signature, confirm: confirm, campaign: campaign)
        let (result, summary) = await runner.run(
            identity: identity, directory: directory, stop: Interruption.stop, progress: ShrinkProgress().show)
        if let summary { try ReportWriter.write(summary, to: directory) }
        let report = try report(result, signature, of: whole, writer, directory)
        try directory.write("shrink.json", try Output.encoded(report) + "\n")
        print(options.format == .json ? try Output.encoded(report) : report.text)
        throw ExitCode(report.exitCode)
    }

    /// The finding to give again.
    private func finding(in records: [Record]) throws -> String {
        guard case .end(let end)? = records.last?.event, end.reason != .interrupted else {
            throw Complaint(
                "the ledger '\(ledger)' has no end: its trial was interrupted, or the file cut short; take a whole one")
        }
        let judgement = Judge.judge(records)
        guard let first = judgement.violations.first else {
            throw Complaint(
                "the trial of '\(ledger)' was \(judgement.verdict.rawValue): there is no failure to find the cause of; take the ledger of one that was violated"
            )
        }
        guard let signature else { return first.signature }
        let known = judgement.violations.map(\.signature)
        guard known.contains(signature) else {
            let list = Set(known).sorted().map { "'\($0)'" }.joined(separator: ", ")
            throw Complaint("the trial of '\(ledger)' has no finding '\(signature)'; it has \(list)")
        }
        return signature
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

    private func report(
        _ result: Shrunk, _ signature: String, of whole: Scenario, _ writer: ScenarioWriter, _ directory: RunDirectory
    ) throws -> ShrinkReport {
        var report = ShrinkReport(result, signature, of: whole)
        guard result.whole.reproduced > 0 else { return report }
        var scenario = result.scenario
        scenario.summary = report.summary
        let path = output ?? "\(directory.path)/\(whole.name).yaml"
        let text = try writer.text(of: scenario, at: path, comment: report.comment)
        do { try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic) } catch {
            throw Complaint("write '\(path)': \(error.localizedDescription)")
        }
        report.file = path
        return report
    }
}

/// What is said of a shrinking.
private struct ShrinkReport: Encodable {
    /// A fault of the smallest schedule.
    struct Part: Encodable {
        let fault: String
        let text: String
        /// How often the failure still comes without it.
        let without: Frequency?
    }

    let signature: String
    let outcome: String
    let schedule: [Part]
    let points: [String]
    let faultsBefore: Int
    let whole: Frequency
    let confirmed: Frequency?
    let trials: Int
    var file: String?

    private let progress: Shrunk.Progress
    private enum CodingKeys: CodingKey {
        case signature, outcome, schedule, points, faultsBefore, whole, confirmed, trials, file
    }

    init(_ result: Shrunk, _ signature: String, of whole: Scenario) {
        self.signature = signature
        progress = result.progress
        outcome = "\(result.progress)"
        schedule = result.scenario.faults.map {
            Part(fault: $0.name, text: $0.words, without: result.without[$0.name])
        }
        points = result.scenario.points.map { "'\($0.name)' is \($0.point)" }
        faultsBefore = whole.faults.count
        self.whole = result.whole
        confirmed = result.confirmed
        trials = result.trials
    }

    var exitCode: Int32 {
        switch progress {
        case .notReproduced: 3
        case .interrupted: 130
        case .smallest, .tooSeldom: (confirmed?.rate ?? 0) >= 0.95 ? 0 : 1
        }
    }

    /// The sentence that the file begins with.
    var summary: String {
        let words = schedule.map(\.text).joined(separator: "; ")
        return schedule.isEmpty ? "\(signature), without any fault." : "\(signature): \(words)."
    }

    var comment: String {
        "From fracas shrink" + (confirmed.map { ": reproduced in \($0) trials." } ?? ", which was interrupted.")
    }

    var text: String {
        var lines = [""]
        switch progress {
        case .notReproduced:
            return
                "\nnot reproduced: '\(Terminal.escape(signature))' came in none of \(whole.trials) trials of the whole schedule; "
                + "it may need an order that no fault of the trial forces: fracas explore looks for one"
        case .tooSeldom:
            lines += [
                "'\(signature)' came in only \(whole) trials of the whole schedule: too seldom to tell what it needs; this is all of it"
            ]
        case .interrupted where whole.reproduced == 0: return "\ninterrupted before the failure was seen again"
        case .interrupted: lines += ["interrupted: this gives '\(signature)', but may not be the smallest"]
        case .smallest: lines += ["the smallest schedule that gives '\(signature)':"]
        }
        if schedule.isEmpty { lines.append("  none: it fails without any fault") }
        for part in schedule {
            lines.append("  \(part.text)")
            if let without = part.without { lines.append("    without it: \(without) trials") }
        }
        lines += points.map { "  where \($0)" }
        lines.append("")
        if let confirmed {
            let bound = confirmed.rate >= 0.95 ? "" : ", less often than in 95 % of them"
            lines.append("reproduced in \(confirmed) trials\(bound); of \(faultsBefore) faults \(schedule.count) left")
        }
        lines.append("\(trials) trials in all")
        if let file { lines.append("scenario: \(file)") }
        return lines.map { Terminal.escape($0) }.joined(separator: "\n")
    }
}

/// Progress where each question takes as many trials as it takes.
private struct ShrinkProgress {
    private let isTerminal = isatty(2) == 1

    @Sendable func show(_ progress: ShrinkCampaign.Progress) {
        guard isTerminal || progress.isAnswered else { return }
        let faults = progress.question.faultsLeft
        let text =
            "\(faults) \(faults == 1 ? "fault" : "faults") left, \(progress.trials) trials, "
            + "\(Terminal.escape(progress.question.text)): \(progress.frequency)"
        if isTerminal {
            let end = progress.isAnswered ? "\n" : ""
            FileHandle.standardError.write(Data("\r\u{1B}[K\(text.prefix(160))\(end)".utf8))
        } else {
            Output.complain(text)
        }
    }
}
