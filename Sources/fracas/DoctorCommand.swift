import ArgumentParser
import Certification
import Deployments

/// `fracas doctor`.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Says what this host gives, what it lacks, and what that costs.")

    @Flag(help: "Looks at a deployed tree instead: why deployments or validations fail there, and what to do.")
    var deployment = false
    @OptionGroup var options: DeploymentOptions

    func run() async throws {
        if deployment { return try await lookAtDeployment() }
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

    private func lookAtDeployment() async throws {
        let tree = try options.load(onlyLooking: true)
        let began = ContinuousClock.now
        let checks = try await options.blocking { DeploymentDoctor.run(tree) }
        let failed = checks.filter { $0.outcome == .failed }.map { "\($0.name): \($0.detail)" }
        var answer = Answer(
            "doctor", changed: false, outcome: failed.isEmpty ? "fit" : "unfit", exit: failed.isEmpty ? 0 : 1,
            message: failed.isEmpty ? "nothing keeps deployments from working" : failed.joined(separator: "\n"),
            seconds: began.seconds, details: ["checks": checks])
        (answer.from, answer.to) = (ReleaseInTree.recorded(tree), ReleaseInTree.recorded(tree))
        try options.show(answer) {
            for check in checks {
                let word =
                    ["passed": "ok     ", "failed": "FAILED ", "warning": "warning"][check.outcome.rawValue]
                    ?? "-      "
                print("\(word)  \(check.name): \(check.detail)")
            }
        }
        throw ExitCode(answer.exit)
    }
}
