import ArgumentParser
import Certification

/// `fracas doctor`.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Says what this host gives, what it lacks, and what that costs.")

    func run() throws {
        let host = HostCapabilities.probe()
        for finding in host.findings {
            print("\(finding.isGood ? "ok     " : finding.isFatal ? "MISSING" : "reduced")  \(finding.what)")
            if !finding.isGood { print("         costs: \(finding.cost)\n         remedy: \(finding.remedy)") }
        }
        if let refusal = host.refusal {
            Output.complain(refusal)
            throw ExitCode(2)
        }
    }
}
