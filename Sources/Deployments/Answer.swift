import Foundation
import Platform

/// A release in a tree, as a machine compares it.
public struct ReleaseInTree: Codable, Sendable, Equatable {
    /// What the tree's record calls it: the directory it came from, or `backup` and its name; nil when nothing was deployed yet.
    public var release: String?
    /// The hash over what it consists of.
    public var hash: String?

    /// What a tree says was deployed last.
    public static func recorded(_ tree: DeploymentTree) -> ReleaseInTree {
        let state = DeployedState.load(tree)
        return ReleaseInTree(release: state?.release, hash: state?.treeHash)
    }

    /// Encodes nil too: who reads it need not ask whether a key is there.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(release, forKey: .release)
        try container.encode(hash, forKey: .hash)
    }
}

/// What every command on a deployed tree answers to a machine, the same keys for all of them, beside what it has to say itself.
public struct Answer: Encodable, Sendable {
    /// The command.
    public var command: String
    /// Whether anything is other than before: the tree, the service, a backup, a file of the kit; for a dry run whether it would be. Of
    /// what failed and was undone: whether the tree is.
    public var changed: Bool
    /// One word for what came of it.
    public var outcome: String
    /// The exit code.
    public var exit: Int32
    /// What happened, or why it did not, for people.
    public var message: String
    /// The release in the tree before.
    public var from: ReleaseInTree?
    /// The release in the tree now; for a dry run the one it would be.
    public var to: ReleaseInTree?
    /// The backup that was made or restored.
    public var backup: String?
    /// The log's path.
    public var log: String?
    /// Seconds it took.
    public var seconds: Double
    /// What else the command has to say.
    public var details: (any Encodable & Sendable)?

    /// An answer.
    public init(
        _ command: String, changed: Bool, outcome: String, exit: Int32, message: String, seconds: Double = 0,
        details: (any Encodable & Sendable)? = nil
    ) {
        self.command = command
        self.changed = changed
        self.outcome = outcome
        self.exit = exit
        self.message = message
        self.seconds = seconds
        self.details = details
    }

    /// The answer of an operation.
    /// - Parameter isStopped: whether it was asked to stop meanwhile.
    public init(_ report: OperationReport, isStopped: Bool) {
        let exit = report.exitCode(isStopped: isStopped)
        self.init(
            report.operation, changed: report.changed ?? false, outcome: report.outcome(exit), exit: exit,
            message: report.error ?? report.message, seconds: report.seconds, details: report)
        from = report.from
        to = report.to
        backup = report.backup
        log = report.log
    }

    private enum CodingKeys: String, CodingKey {
        case command, changed, outcome, exit, message, from, to, backup, log, seconds
    }

    /// Encodes what the command says itself and the keys that all have in one object; those are there even where they say nothing.
    public func encode(to encoder: any Encoder) throws {
        try details?.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(command, forKey: .command)
        try container.encode(changed, forKey: .changed)
        try container.encode(outcome, forKey: .outcome)
        try container.encode(exit, forKey: .exit)
        try container.encode(message, forKey: .message)
        try container.encode(from, forKey: .from)
        try container.encode(to, forKey: .to)
        try container.encode(backup, forKey: .backup)
        try container.encode(log, forKey: .log)
        try container.encode(seconds, forKey: .seconds)
    }
}

extension OperationReport {
    /// 0 good, 1 failed and undone or not healthy, 2 not begun, 3 not settled yet, 130 interrupted.
    func exitCode(isStopped: Bool) -> Int32 {
        if isGood { return 0 }
        if release == "unsettled" { return 3 }
        if isStopped { return 130 }
        return hasBegun || result == "unhealthy" ? 1 : 2
    }

    /// One word for what came of it.
    func outcome(_ exit: Int32) -> String {
        switch (exit, operation) {
        case (0, "validate"): "healthy"
        case (0, _) where result == "planned": "planned"
        case (0, _) where isUnchanged == true: "unchanged"
        case (0, "rollback"): "restored"
        case (0, _): release == "new" ? "deployed" : "saved"
        case (1, "validate"): "unhealthy"
        case (1, _): "undone"
        case (3, _): "unsettled"
        case (130, _): "interrupted"
        default: "refused"
        }
    }

    /// What happened, for people.
    var message: String {
        let backup = backup.map { ", backup \($0)" } ?? ""
        switch outcome(0) {
        case "healthy": return "the service is healthy"
        case "planned": return plan.first.map { "would \($0)" } ?? "nothing would be done"
        case "unchanged":
            return "nothing was to be done: \(to?.release ?? "what was asked for") is there already and serves"
        case "restored": return "the tree is what the backup \(self.backup ?? "") holds"
        case "deployed": return "\(to?.release ?? "the release") is deployed\(backup)"
        default: return "the tree is saved\(backup)"
        }
    }
}
