import ArgumentParser
import Deployments
import Foundation
import Glibc

/// `fracas kit`.
struct KitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kit", abstract: "The deployment kit: the scripts and settings that operators use.",
        subcommands: [Install.self])

    struct Install: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "install", abstract: "Puts the kit into a tree's deployment directory.",
            discussion:
                "Scripts and guides are brought up to date; a configuration that is there already stays as it is. What is this kit's already is not written again, and is not named."
        )

        @Argument(help: "The tree.")
        var tree: String
        @Option(help: "What standard output carries: text or json.")
        var format: RunOptions.Format = .text

        func run() throws {
            let manager = FileManager.default
            let kit = try Installation.kit()
            var isDirectory: ObjCBool = false
            guard manager.fileExists(atPath: tree, isDirectory: &isDirectory), isDirectory.boolValue else {
                throw Complaint("the tree '\(tree)' is not a directory; give the software's directory")
            }
            let began = ContinuousClock.now
            let names = manager.enumerator(atPath: kit)?.compactMap { $0 as? String }.sorted() ?? []
            var (installed, kept): ([String], [String]) = ([], [])
            for name in ["", "logs", "backups"] + names {
                let (from, to) = ("\(kit)/\(name)", "\(tree)/deployment/\(name)")
                do {
                    switch try Self.install(from, to, name) {
                    case .installed: installed.append(to)
                    case .kept: kept.append(to)
                    case .present: break
                    }
                } catch { throw Complaint("install '\(to)': \(error.localizedDescription); is the tree writable?") }
            }
            let answer = Answer(
                "kit", changed: !installed.isEmpty, outcome: installed.isEmpty ? "unchanged" : "installed", exit: 0,
                message: installed.isEmpty
                    ? "nothing was to be done: the kit in '\(tree)' is this one" : "\(installed.count) files installed",
                seconds: began.seconds, details: ["installed": installed, "kept": kept])
            if format == .json { return Output.say(try Output.encoded(answer)) }
            for path in kept { print("kept \(path)") }
            for path in installed { print("installed \(path)") }
            if installed.isEmpty { print(answer.message) }
        }

        /// What became of one name of the kit.
        private enum Outcome { case installed, kept, present }

        private static func install(_ from: String, _ to: String, _ name: String) throws -> Outcome {
            let manager = FileManager.default
            if name.isEmpty || name == "logs" || name == "backups" || Self.isDirectory(from) {
                guard !Self.isDirectory(to) else { return .present }
                try manager.createDirectory(
                    atPath: to, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
                return .installed
            }
            if name.hasSuffix(".conf"), manager.fileExists(atPath: to) { return .kept }
            guard let data = manager.contents(atPath: from) else { throw CocoaError(.fileReadUnknown) }
            let mode = name.hasSuffix(".sh") ? 0o750 : 0o640
            let attributes = try? manager.attributesOfItem(atPath: to)
            if attributes?[.type] as? FileAttributeType == .typeRegular, attributes?[.posixPermissions] as? Int == mode,
                manager.contents(atPath: to) == data
            {
                return .present
            }
            try data.write(to: URL(fileURLWithPath: to), options: .atomic)
            try manager.setAttributes([.posixPermissions: mode], ofItemAtPath: to)
            return .installed
        }

        private static func isDirectory(_ path: String) -> Bool {
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
        }
    }
}
