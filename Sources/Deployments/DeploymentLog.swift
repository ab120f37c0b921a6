import Foundation
import Glibc
import Platform

/// What an operation did, line by line: into its log file, and to whoever called it. A log that cannot be written stops nothing:
/// a full disk must not keep anyone from rolling back.
final class DeploymentLog {
    /// The file's path; nil when nothing is to be written.
    let path: String?
    private let file: Descriptor?
    private let say: @Sendable (String) -> Void
    private let isVerbose: Bool
    /// Another one that everything goes to as well.
    private let beside: DeploymentLog?

    /// The log of an automatic rollback, whose lines are also the operation's own. One that is a rollback already has it.
    static func ofRollback(_ tree: DeploymentTree, _ stamp: String, beside log: DeploymentLog) -> DeploymentLog {
        guard let path = log.path, !path.hasPrefix("\(tree.logs)/rollback_") else { return log }
        return DeploymentLog(tree, name: "rollback_\(stamp)", beside: log, say: { _ in })
    }

    init(
        _ tree: DeploymentTree, name: String?, beside: DeploymentLog? = nil, say: @escaping @Sendable (String) -> Void
    ) {
        self.say = say
        self.beside = beside
        isVerbose = tree.configuration.flag("VERBOSE_LOGGING")
        path = name.map { "\(tree.logs)/\($0).log" }
        let mode = tree.configuration.mode("FILE_PERMISSIONS")
        file = path.flatMap {
            try? Files.open($0, flags: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: mode)
        }
    }

    /// A step, which the operator sees.
    func step(_ text: String) {
        write(text)
        say(Text.plain(text))
        beside?.step(text)
    }

    /// A detail, which the operator sees when VERBOSE_LOGGING is on.
    func detail(_ text: String) {
        write("  " + text)
        if isVerbose { say("  " + Text.plain(text)) }
        beside?.detail(text)
    }

    private func write(_ text: String) {
        guard let file else { return }
        for line in text.split(separator: "\n") {
            let stamped = "\(Date().formatted(.iso8601)) \(Text.plain(String(line)))\n"
            try? file.writeAll(Array(stamped.utf8))
        }
    }
}
