import ArgumentParser
import Deployments
import Foundation

/// `fracas kit`.
struct KitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kit", abstract: "The deployment kit: the scripts and settings that operators use.",
        subcommands: [Install.self])

    struct Install: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "install", abstract: "Puts the kit into a tree's deployment directory.",
            discussion: """
                What is there as an earlier kit put it is brought up to date. What was changed since is kept, and the kit's own is \
                put beside it with the ending .new. What is this kit's already is not written again. The scripts call this program \
                by its path, so they work under cron and sudo. Settings get the permissions 640.
                """)

        @Argument(help: "The tree.")
        var tree: String
        @Option(help: "What standard output carries: text or json.")
        var format: RunOptions.Format = .text

        func run() throws {
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: tree, isDirectory: &isDirectory), isDirectory.boolValue else {
                throw Complaint("the tree '\(tree)' is not a directory; give the software's directory")
            }
            let began = ContinuousClock.now
            let kit = Kit(
                from: try Installation.kit(), program: Installation.program.path,
                tree: URL(fileURLWithPath: tree).standardizedFileURL.path)
            let results: [Kit.Result]
            do { results = try kit.install() } catch { throw Complaint(error.description) }
            let installed = results.filter(\.isChange).compactMap(\.path)
            let answer = Answer(
                "kit", changed: !installed.isEmpty, outcome: installed.isEmpty ? "unchanged" : "installed", exit: 0,
                message: installed.isEmpty
                    ? "nothing was to be done: the kit in '\(tree)' is this one" : "\(installed.count) files installed",
                seconds: began.seconds,
                details: [
                    "installed": installed, "kept": results.filter { $0.kind == .kept }.compactMap(\.path),
                    "notes": results.filter { $0.kind == .note }.map(\.text),
                ])
            if format == .json { return Output.say(try Output.encoded(answer)) }
            for result in results { print(result.text) }
            if installed.isEmpty { print(answer.message) }
        }
    }
}
