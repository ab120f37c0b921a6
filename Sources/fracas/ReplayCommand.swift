import ArgumentParser
import Certification
import Evidence
import Exploration
import Foundation
import Scenarios

/// `fracas replay`.
struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Runs a stored trial again, with every injection where it was.",
        discussion: """
            The ledger says what was injected, and where: by role, call, conditions and count. Each injection becomes a fault of \
            its own at exactly that place. One whose place is not reached makes the replay inconclusive, and is named. \
            --trials says how often, to tell a rate from luck.

            It runs what its trial ran, unless another --target, --release, --control or --python is given: then the very same is done \
            to that, as to see whether a fix is one. --set reads the scenario's file anew with other settings.

              fracas replay reports/20260101-120000-certify/ledgers/trial-00007-full-pipe.jsonl --trials 20
              fracas replay LEDGER --release fixed --trials 20
            """)

    @Argument(help: "The trial's ledger.")
    var ledger: String
    @Option(help: "How many times.")
    var trials = 1
    @OptionGroup var options: RunOptions

    func validate() throws {
        if trials < 1 { throw ValidationError("--trials must be at least 1, not \(trials)") }
    }

    func run() async throws {
        do {
            let records = try LedgerFile.read(ledger)
            let whole = try Replay.scenario(of: records)
            guard case .trial(let header)? = records.first?.event else { return }
            let stored = try StoredTrial(header, options)
            let scenario = try stored.scenario(of: whole)
            stored.tell()
            let (campaign, identity) = try options.prepare(
                "replay", [scenario], stored.tree, trials: trials, near: [ledger], wasWarm: header.isWarm == true)
            try await options.run(campaign, identity)
        } catch let error as ExplorationError { throw Complaint("\(ledger): \(error)") } catch let error
            as EvidenceError
        {
            throw Complaint("\(error)")
        } catch let error as CertificationError { throw Complaint("\(error)") } catch let error as ScenarioError {
            throw Complaint("\(error)")
        }
    }
}
