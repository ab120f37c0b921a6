import ArgumentParser
import Deployments
import Foundation
import Glibc

/// The command line.
@main
struct Fracas: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fracas",
        abstract:
            "Breaks multi-process programs on purpose, at exact points, and certifies that they shut down cleanly.",
        discussion: """
            A scenario (YAML) names the processes to start, what to do with them, what to break, and what must hold. Fracas \
            runs it many times in namespaces of its own and says whether it held.

              fracas run scenarios/kill-runner-under-load.yaml --target fixtures/exo --release fixed
              fracas certify --target fixtures/exo --release fixed
              fracas check reports/20260101-120000-certify

            Exit codes: 0 held, 1 violated, 2 bad usage or input, 3 inconclusive, 130 interrupted.
            """,
        version: "0.1.0",
        subcommands: [
            RunCommand.self, CertifyCommand.self, SweepCommand.self, ExploreCommand.self, CheckCommand.self,
            ReplayCommand.self, ShrinkCommand.self,
            ReportCommand.self,
            ScenarioCommand.self,
            DoctorCommand.self, BenchCommand.self,
            DeployCommand.self, RollbackCommand.self, ValidateCommand.self, BackupsCommand.self, ServiceCommand.self,
            KitCommand.self,
        ])

    static func main() async {
        // The supervisor's own process: no command of an operator's, and with signals of its own.
        if CommandLine.arguments.dropFirst().first == ServiceKeeper.verb { Glibc.exit(ServiceKeeper.run()) }
        Interruption.prepare()
        do {
            var command = try parseAsRoot(nil)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let code as ExitCode {
            Glibc.exit(code.rawValue)
        } catch let error as Complaint {
            Output.complain(error.description)
            Glibc.exit(2)
        } catch {
            let isHelp = exitCode(for: error) == .success
            let text = fullMessage(for: error)
            if isHelp { print(text) } else { Output.complain(text) }
            Glibc.exit(isHelp ? 0 : 2)
        }
    }
}

/// Bad usage or input: the message says what, where, and what to do.
struct Complaint: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
