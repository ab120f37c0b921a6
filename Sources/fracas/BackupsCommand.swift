import ArgumentParser
import Deployments
import Foundation

/// `fracas backups`.
struct BackupsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backups", abstract: "Lists a tree's backups, each verified.",
        discussion:
            "Exit codes: 0 all are whole, 1 one is damaged, 2 bad usage or configuration, 3 an unfinished operation is not settled yet."
    )

    @OptionGroup var options: DeploymentOptions

    func run() async throws {
        let (tree, caller) = (try options.load(), options.caller)
        let list = try await options.blocking { try BackupList(tree, caller: caller) }
        if options.format == .json {
            print(try Output.encoded(list))
        } else {
            if let recovered = list.recovered { print(recovered) }
            if list.backups.isEmpty { print("there are no backups in \(tree.backups)") }
            for item in list.backups {
                let state = item.isGood ? "good" : "DAMAGED"
                print(
                    "\(item.id)  \(state)  \(item.note)  \(item.entries) entries  \(item.treeHash.prefix(16))  \(item.version)"
                )
            }
        }
        throw ExitCode(list.isUnsettled ? 3 : list.backups.allSatisfy(\.isGood) ? 0 : 1)
    }
}

/// `fracas service`.
struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service", abstract: "Starts, stops or looks at a tree's service, as deployments do.",
        discussion: """
            start settles what an operation left that was broken off; stop and status settle nothing, and say when there is something.

            Exit codes: 0 done, or it runs; 1 it does not run; 2 it could not be done; 3 an unfinished operation could not be settled.
            """)

    enum Verb: String, ExpressibleByArgument, CaseIterable { case start, stop, status }

    @Argument(help: "start, stop or status.")
    var verb: Verb
    @OptionGroup var options: DeploymentOptions
    @Flag(help: "With stop: kills what does not stop within SERVICE_STOP_TIMEOUT.")
    var force = false

    func run() async throws {
        let service = Service(try options.load(), caller: options.caller)
        let (verb, force) = (verb, force)
        let report = try await options.blocking {
            switch verb {
            case .start: try service.start()
            case .stop: try service.stop(force: force)
            case .status: break
            }
            return try service.report()
        }
        if options.format == .json {
            Output.say(try Output.encoded(report))
        } else {
            Output.say(report.process.map { "running: process \($0)" } ?? "stopped")
            if let history = report.history { Output.say("service: \(history)") }
            if let unfinished = report.unfinished { Output.say("note: \(unfinished)") }
        }
        throw ExitCode(verb != .stop && !report.isRunning ? 1 : 0)
    }
}
