import Glibc
import Platform

/// What is there of an operation that has not come to its end. Looks only: nothing is settled, made or written by it.
enum Unfinished {
    /// Somebody is at work, who that says.
    case atWork(String)
    /// A journal that nobody is at work on.
    case brokenOff(Journal)
    /// No journal, but what an operation puts beside the tree.
    case leftovers
    /// A journal that cannot be read.
    case unreadable(DeploymentError)

    /// What there is; nil when nothing is.
    static func find(_ tree: DeploymentTree) -> Unfinished? {
        if let holder = DeploymentLock.holder(tree) { return .atWork(holder) }
        do {
            if let journal = try Journal.load(tree) { return .brokenOff(journal) }
        } catch { return .unreadable(error) }
        return Recovery.isNeeded(tree) ? .leftovers : nil
    }

    /// What the operation that holds the lock leaves to the next one; nil when nothing is.
    static func left(_ tree: DeploymentTree) -> String? {
        do { return try Journal.load(tree).map { Unfinished.brokenOff($0).text } } catch { return error.description }
    }

    /// For an operator, with what happens next.
    var text: String {
        switch self {
        case .atWork(let holder): "the tree is being changed by \(holder)"
        case .brokenOff(let journal):
            "a \(journal.operation) of \(journal.id) was broken off in its phase '\(journal.phase.rawValue)': the next deploy, rollback, validate or backups \(journal.phase == .accepted ? "completes" : "undoes") it, for example deployment/monitoring/validate-deployment.sh"
        case .leftovers:
            "an operation that was broken off left files beside the tree, which is whole: the next deploy, rollback, validate or backups removes them"
        case .unreadable(let error): error.description
        }
    }
}

/// What a tree's service is doing, and what else an operator has to know then.
public struct ServiceReport: Codable, Sendable {
    /// SERVICE_NAME.
    public var service: String
    /// Who starts and stops it.
    public var manager: String
    /// Whether it runs.
    public var isRunning: Bool
    /// Its first process; nil when it does not run.
    public var process: Int32?
    /// All of its processes.
    public var processes: [Int32]
    /// How often it was started again by itself since it was started.
    public var restarts: Int
    /// How it ended last, whether it is started again and whether it cannot be; nil when there is nothing to say.
    public var history: String?
    /// That an operation is at work or was broken off, and what happens next; nil when there is none.
    public var unfinished: String?

    init(_ tree: DeploymentTree) throws(DeploymentError) {
        let manager = try ServiceManagers.choose(tree)
        let state = try manager.state()
        service = tree.configuration["SERVICE_NAME"]
        self.manager = manager.name
        isRunning = state.isRunning
        process = state.main
        processes = state.processes
        restarts = state.restarts
        history = state.history
        unfinished = Unfinished.find(tree)?.text
    }
}
