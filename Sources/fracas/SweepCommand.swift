import ArgumentParser
import Certification
import Exploration
import Foundation
import Reports
import Scenarios

/// `fracas sweep`.
struct SweepCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sweep", abstract: "Breaks a scenario at every visible point of a window, one fault a trial.",
        discussion: """
            A reference trial without faults lists the points: every call, from the step on with which the window begins, that \
            another process could notice. Then each is visited once with each fault. A point that is not reached any more is \
            tried again; one that no attempt reaches makes the sweep inconclusive, and is listed.

              fracas sweep scenarios/shutdown-under-load.yaml --target fixtures/exo --release fixed --roles runner
              fracas sweep s.yaml --fault kill --fault errno=EIO --fault delay=20ms --from shutdown
              fracas sweep s.yaml --resume reports/20260101-120000-sweep      # goes on with what is not done
            """)

    @Argument(help: "The scenario file; its own faults are left out.")
    var scenario: String
    @Option(
        help: "kill, kill=SIGNAL, stop=TIME, errno=NAME, delay=TIME, close=peer|own (may be repeated). Default: kill.")
    var fault: [String] = []
    @Option(help: "The step with which the window begins.")
    var from = "shutdown"
    @Option(help: "Whose points; default: every role's.")
    var roles: String?
    @Option(help: "How often a point that was not reached is tried in all.")
    var attempts = 40
    @Option(help: "The directory of a sweep that was interrupted.")
    var resume: String?
    @OptionGroup var spared: SparedRoles
    @OptionGroup var options: RunOptions

    func validate() throws {
        if !(1...100).contains(attempts) { throw ValidationError("--attempts must be from 1 to 100, not \(attempts)") }
        if let roles, RolePattern(parsing: roles) == nil { throw ValidationError("'\(roles)' is not a role pattern") }
    }

    func run() async throws {
        do {
            let actions = try (fault.isEmpty ? ["kill"] : fault).map(Self.action)
            let (campaign, identity) = try options.prepare("sweep", paths: [scenario])
            guard let loaded = campaign.scenarios.first else { return }
            let sweep = try Sweep(
                loaded, window: from, roles: roles.flatMap(RolePattern.init(parsing:)),
                sparing: Sparing(roles: spared.patterns(in: campaign.scenarios)))
            let directory =
                try resume.map(RunDirectory.init(existing:))
                ?? RunDirectory(below: options.reports, name: "sweep", time: Date())
            var progress = Progress(total: 0, quiet: false)
            let runner = SweepCampaign(sweep: sweep, actions: actions, attempts: attempts, campaign: campaign)
            let outcome = try await runner.run(identity: identity, directory: directory, stop: Interruption.stop) {
                progress.show(done: $0, of: $1, $2)
            }
            try finish(outcome, directory)
        } catch let error as ExplorationError { throw Complaint("\(error)") } catch let error as CertificationError {
            throw Complaint("\(error)")
        } catch let error as ReportError { throw Complaint("\(error)") }
    }

    private func finish(_ outcome: SweepCampaign.Outcome, _ directory: RunDirectory) throws {
        let goOn = "go on with: fracas sweep … --resume \(directory.path)"
        try Conclusion(outcome.summary, directory).with("coverage.json", outcome.coverage)
            .tell(remarks: outcome.summary.interrupted ? [goOn] : []) { summary, directory in
                if options.format == .json { return try Output.json(summary) }
                var lines = [Output.text(summary, directory: directory)]
                if !outcome.coverage.isEmpty { lines += ["", "coverage, from the step '\(from)' on:"] }
                for part in outcome.coverage {
                    let share = Output.percent(Double(part.visited) / Double(max(1, part.known)))
                    lines.append("  \(part.fault) of \(part.role): \(part.visited) of \(part.known) points (\(share))")
                }
                for place in outcome.unreached.prefix(12) {
                    lines.append("  not reached: \(place.role), \(place.call), time \(place.nth)")
                }
                return lines.joined(separator: "\n")
            }
    }

    private static func action(_ text: String) throws -> Fault.Action {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        let value = parts.count > 1 ? parts[1] : nil
        let time = value.flatMap(Span.init(parsing:))
        switch (parts.first ?? "", value) {
        case ("kill", nil): return .kill(roles: nil, signal: .kill)
        case ("kill", let name?): if let signal = Signal(parsing: name) { return .kill(roles: nil, signal: signal) }
        case ("stop", _): if let time { return .stop(roles: nil, time: time) }
        case ("delay", _): if let time { return .delay(time) }
        case ("errno", let name?): if let error = ErrorName(parsing: name) { return .errno(error) }
        case ("close", let way?):
            if let way = Fault.Closing(rawValue: way), [.peer, .own].contains(way) { return .close(way) }
        default: break
        }
        throw Complaint(
            "'\(text)' is not a fault to sweep with: kill, kill=TERM, stop=50ms, delay=20ms, errno=EIO, close=peer or close=own"
        )
    }
}
