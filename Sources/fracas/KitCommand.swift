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
                put beside it with the ending .new. The scripts call this program by its path, so they work under cron and sudo. \
                Settings get the permissions 640.
                """)

        @Argument(help: "The tree.")
        var tree: String

        func run() throws {
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: tree, isDirectory: &isDirectory), isDirectory.boolValue else {
                throw Complaint("the tree '\(tree)' is not a directory; give the software's directory")
            }
            let kit = Kit(
                from: try Installation.kit(), program: Installation.program.path,
                tree: URL(fileURLWithPath: tree).standardizedFileURL.path)
            do { for line in try kit.install() { print(line) } } catch { throw Complaint(error.description) }
        }
    }
}
