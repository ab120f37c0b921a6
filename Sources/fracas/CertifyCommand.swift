import ArgumentParser
import Certification
import Checkers
import Exploration
import Foundation
import Reports
import Scenarios

/// `fracas certify`.
struct CertifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certify", abstract: "Runs the whole suite often enough for a verdict on the failure rate.",
        discussion: """
            299 trials without a violation bound the failure rate below 1 % at 95 % confidence. \
            The scenarios of the suite take turns, each trial with a seed of its own. Then an exploration starts from the scenarios \
            in the suite's directory 'explore', if there is one.

            With --controls, known races are put into the target one after the other, and the suite and the exploration must catch \
            each: a certificate whose suite does not catch the controls says little, and certify then ends with 3.

              fracas certify --target fixtures/exo --release fixed --controls fixtures/races
            """)

    @Option(help: "The directory of the suite's scenarios.")
    var suite = "scenarios"
    @Option(help: "How many trials of the suite in all.")
    var trials = 299
    @Option(help: "At most how many trials of an exploration, for the tree and for each control; 0 for none.")
    var explore = 200
    @Option(help: "A directory of controls: known races to put into the target.")
    var controls: String?
    @OptionGroup var sparing: SparingOptions
    @OptionGroup var options: RunOptions

    func validate() throws {
        if explore == 0, !sparing.kinds.isEmpty || !sparing.spared.roles.isEmpty {
            throw ValidationError("--spare and --without are about the exploration, which --explore 0 leaves out")
        }
        if trials < 1 { throw ValidationError("--trials must be at least 1, not \(trials)") }
        if explore < 0 { throw ValidationError("--explore must be at least 0, not \(explore)") }
        if options.warm == true {
            throw ValidationError("a certificate is about processes as they are started in earnest: leave out --warm")
        }
        if controls != nil, options.control != nil {
            throw ValidationError("--control puts one race into the tree to certify; --controls tries all of them")
        }
    }

    func run() async throws {
        guard let target = options.target else {
            throw Complaint("certify needs --target: the tree about to be deployed")
        }
        do {
            var places = [suite]
            if explore > 0, ScenarioFiles.isDirectory("\(suite)/explore") {
                places.append("\(suite)/explore")
            }
            var (campaign, identity) = try options.prepare("certify", paths: places, trials: trials)
            let count = ScenarioFiles.expand([suite]).count
            let bases = Array(campaign.scenarios[count...])
            campaign.scenarios = Array(campaign.scenarios[..<count])
            let trees = try controls.map(Control.all)?.compactMap {
                try options.tree(target, release: options.release, control: $0.path)
            }
            let directory = try RunDirectory(below: options.reports, name: "certify", time: Date())
            let certifier = try Certifier(
                suite: campaign, bases: bases, explorationTrials: explore, controls: trees ?? [],
                sparing: sparing.sparing(in: bases))
            var progress = CertifyProgress(trials: trials, explore: explore)
            let certificate = try await certifier.run(
                identity: identity, directory: directory, stop: Interruption.stop
            ) { progress.show($0) }
            try finish(certificate, directory)
        } catch let error as ExplorationError { throw Complaint("\(error)") } catch let error as CertificationError {
            throw Complaint("\(error)")
        } catch let error as ReportError { throw Complaint("\(error)") }
    }

    private func finish(_ certificate: Certificate, _ directory: RunDirectory) throws {
        var certificate = certificate
        try Conclusion(certificate.suite, directory).with("certificate.json", certificate).tell { summary, directory in
            certificate.suite = summary
            if options.format == .json { return try Output.encoded(certificate) }
            var lines = [Output.text(summary, directory: directory)]
            if let exploration = certificate.exploration {
                let place = directory.map { ": \($0)/explore/report.html" } ?? ""
                lines.append("\nexplored: \(Output.counts(exploration))\(place)")
            }
            for finding in certificate.exploration?.findings ?? [] {
                let message = Terminal.escape(String(finding.message.prefix(300)))
                lines.append("  \(finding.signature)  [\(finding.checker)]: \(message)")
            }
            return (lines + [Self.text(certificate.controls)]).joined(separator: "\n")
        }
    }

    /// Which controls were caught, for people.
    private static func text(_ controls: [ControlResult]) -> String {
        guard !controls.isEmpty else {
            return "\nno controls were run: --controls says which races this suite must catch"
        }
        let caught = controls.filter { $0.finding != nil }
        let bySuite = caught.count { $0.bySuite }
        var lines = [
            "",
            "controls caught: \(caught.count) of \(controls.count), \(bySuite) by the suite, \(caught.count - bySuite) by exploring",
        ]
        for control in controls {
            let how = control.finding.map { "\($0) in \(control.scenario ?? "?")" } ?? "NOT CAUGHT"
            lines.append(
                "  \(control.name): \(Terminal.escape(how)), \(control.trials) trials, \(Output.format(control.seconds)) s"
            )
        }
        if caught.count < controls.count {
            lines.append("this certificate does not count: its suite misses known races")
        }
        return lines.joined(separator: "\n")
    }
}

/// Progress of a certification: its parts one after the other.
private struct CertifyProgress {
    private var suite: Progress
    private var exploration: BudgetProgress

    init(trials: Int, explore: Int) {
        suite = Progress(total: trials, quiet: false)
        exploration = BudgetProgress(time: nil, trials: explore)
    }

    mutating func show(_ progress: Certifier.Progress) {
        switch progress {
        case .suite(let summary): suite.show(summary)
        case .exploration(let summary): exploration.show(summary)
        case .control(let result, let number, let total):
            let how = result.finding.map { "caught: \($0)" } ?? "not caught"
            Output.complain("control \(number) of \(total), \(result.name): \(Terminal.escape(how))")
        }
    }
}
