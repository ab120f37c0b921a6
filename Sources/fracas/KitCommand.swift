import ArgumentParser
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
                "Scripts and guides are brought up to date; a configuration that is there already stays as it is.")

        @Argument(help: "The tree.")
        var tree: String

        func run() throws {
            let manager = FileManager.default
            let kit = try Installation.kit()
            var isDirectory: ObjCBool = false
            guard manager.fileExists(atPath: tree, isDirectory: &isDirectory), isDirectory.boolValue else {
                throw Complaint("the tree '\(tree)' is not a directory; give the software's directory")
            }
            let names = manager.enumerator(atPath: kit)?.compactMap { $0 as? String }.sorted() ?? []
            for name in ["", "logs", "backups"] + names {
                let (from, to) = ("\(kit)/\(name)", "\(tree)/deployment/\(name)")
                let isFolder = name.isEmpty || name == "logs" || name == "backups" || Self.isDirectory(from)
                do {
                    if isFolder {
                        try manager.createDirectory(
                            atPath: to, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
                    } else if name.hasSuffix(".conf"), manager.fileExists(atPath: to) {
                        print("kept \(to)")
                    } else {
                        guard let data = manager.contents(atPath: from) else { throw CocoaError(.fileReadUnknown) }
                        try data.write(to: URL(fileURLWithPath: to), options: .atomic)
                        let mode = name.hasSuffix(".sh") ? 0o750 : 0o640
                        try manager.setAttributes([.posixPermissions: mode], ofItemAtPath: to)
                        print("installed \(to)")
                    }
                } catch { throw Complaint("install '\(to)': \(error.localizedDescription); is the tree writable?") }
            }
        }

        private static func isDirectory(_ path: String) -> Bool {
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
        }
    }
}
