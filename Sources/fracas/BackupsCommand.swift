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
        let (tree, caller, began) = (try options.load(), options.caller, ContinuousClock.now)
        let list = try await options.blocking { try BackupList(tree, caller: caller) }
        let damaged = list.backups.filter { !$0.isGood }.map(\.id)
        let exit: Int32 = list.isUnsettled ? 3 : damaged.isEmpty ? 0 : 1
        var answer = Answer(
            "backups", changed: list.recovered != nil, outcome: ["whole", "damaged", "", "unsettled"][Int(exit)],
            exit: exit,
            message: list.isUnsettled
                ? list.recovered ?? ""
                : damaged.isEmpty ? "\(list.backups.count), all whole" : "damaged: \(damaged.joined(separator: ", "))",
            seconds: began.seconds, details: list)
        (answer.from, answer.to) = (ReleaseInTree.recorded(tree), ReleaseInTree.recorded(tree))
        answer.backup = list.backups.last?.id
        try options.show(answer) {
            if let recovered = list.recovered { print(recovered) }
            if list.backups.isEmpty { print("there are no backups in \(tree.backups)") }
            for item in list.backups {
                let state = item.isGood ? "good" : "DAMAGED"
                print(
                    "\(item.id)  \(state)  \(item.note)  \(item.entries) entries  \(item.treeHash.prefix(16))  \(item.version)"
                )
            }
        }
        throw ExitCode(exit)
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
        let tree = try options.load()
        let (service, verb, force, began) = (Service(tree, caller: options.caller), verb, force, ContinuousClock.now)
        let before = ReleaseInTree.recorded(tree)
        let (first, last, failure) = try await options.blocking {
            // That the service cannot be looked at is told by what is done next, which may have something graver to say.
            let first = verb == .status ? nil : try? service.report()
            do {
                switch verb {
                case .start: try service.start()
                case .stop: try service.stop(force: force)
                case .status: break
                }
                return (first, ServiceReport?.some(try service.report()), DeploymentError?.none)
            } catch let error as DeploymentError where error.code != .unsettled && verb != .status {
                // It may have done something before it failed.
                return (first, try? service.report(), error)
            }
        }
        let exit: Int32 = failure != nil ? 2 : verb != .stop && last?.isRunning != true ? 1 : 0
        let isOther = verb != .status && first?.process != last?.process
        var answer = Answer(
            "service", changed: isOther || before != ReleaseInTree.recorded(tree),
            outcome: failure != nil ? "failed" : last?.isRunning == true ? "running" : "stopped", exit: exit,
            message: failure?.description ?? Self.told(last, isRepeated: verb != .status && !isOther),
            seconds: began.seconds, details: last)
        (answer.from, answer.to) = (before, ReleaseInTree.recorded(tree))
        try options.show(answer) {
            guard failure == nil else { return }
            if verb == .start, !isOther { Output.say("it runs already, and nothing is restarted") }
            Output.say(last?.process.map { "running: process \($0)" } ?? "stopped")
            if let history = last?.history { Output.say("service: \(history)") }
            if let unfinished = last?.unfinished { Output.say("note: \(unfinished)") }
        }
        if let failure { Output.complain(failure.description) }
        throw ExitCode(exit)
    }

    private static func told(_ report: ServiceReport?, isRepeated: Bool) -> String {
        let now = report?.process.map { "it runs, process \($0)" } ?? "it does not run"
        return isRepeated ? "nothing was to be done: \(now)" : now
    }
}

extension ContinuousClock.Instant {
    /// Seconds since then.
    var seconds: Double {
        Double(duration(to: .now).components.attoseconds) / 1e18 + Double(duration(to: .now).components.seconds)
    }
}
