import Foundation
import Glibc
import Platform

/// What an operation did, line by line: into its log file, and to whoever called it. A log that cannot be written stops nothing:
/// a full disk must not keep anyone from rolling back. It is told once, and the operation goes on.
final class DeploymentLog {
    /// The file's path; nil when nothing is to be written, or nothing can be.
    private(set) var path: String?
    /// What is not as it should be and stops nothing, for the report.
    private(set) var warnings: [Check] = []
    private var file: Descriptor?
    private let caller: Caller
    private let isVerbose: Bool
    /// Another one that everything goes to as well.
    private let beside: DeploymentLog?

    /// The log of an automatic rollback, whose lines are also the operation's own. One that is a rollback already has it.
    static func ofRollback(_ tree: DeploymentTree, _ stamp: String, beside log: DeploymentLog) -> DeploymentLog {
        guard let path = log.path, !path.hasPrefix("\(tree.logs)/rollback_") else { return log }
        return DeploymentLog(tree, name: "rollback_\(stamp)", beside: log, caller: log.caller)
    }

    init(_ tree: DeploymentTree, name: String?, beside: DeploymentLog? = nil, caller: Caller) {
        self.caller = caller
        self.beside = beside
        isVerbose = tree.configuration.flag("VERBOSE_LOGGING")
        guard let wanted = name.map({ "\(tree.logs)/\($0).log" }) else { return }
        do {
            try Files.makeDirectories(tree.logs, mode: tree.configuration.mode("DIR_PERMISSIONS"))
            file = try Files.open(
                wanted, flags: O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK,
                mode: tree.configuration.mode("FILE_PERMISSIONS"))
            path = wanted
        } catch { lose(wanted, error) }
    }

    /// A step, which the operator sees.
    func step(_ text: String) {
        write(text)
        if let beside { beside.step(text) } else { caller.say(Text.plain(text)) }
    }

    /// A detail, which the operator sees when VERBOSE_LOGGING is on.
    func detail(_ text: String) {
        write("  " + text)
        if let beside { return beside.detail(text) }
        if isVerbose { caller.say("  " + Text.plain(text)) }
    }

    /// What is not as it should be and stops nothing: the operator sees it beside what is said, and the report has it.
    func warn(_ name: String, _ text: String) {
        write("warning: \(name): \(text)")
        if let beside { return beside.warn(name, text) }
        warnings.append(Check(name, .warning, text))
        caller.warn("warning: \(name): \(Text.plain(text))")
    }

    private func write(_ text: String) {
        guard let file else { return }
        for line in text.split(separator: "\n") {
            let stamped = "\(Date().formatted(.iso8601)) \(Text.plain(String(line)))\n"
            do { try file.writeAll(Array(stamped.utf8)) } catch {
                // What is in it stays; a later line would look as if nothing was missing before it.
                self.file = nil
                return lose(path ?? "", error)
            }
        }
    }

    private func lose(_ path: String, _ error: any Error) {
        warn("log", "'\(path)' cannot be written: \(error)\(Copying.remedy(error)); the operation goes on without it")
    }
}
