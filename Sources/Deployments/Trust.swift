import Foundation
import Glibc
import Platform

/// Whether what root reads as settings and runs as programs can be changed by nobody but root.
///
/// A deployment by root runs what the configuration says, with the tree's interpreter, on the tree's scripts. Who can write to
/// one of them, or to a directory on the way to it, would have root do what they like. That is refused by name before anything
/// else is done. The same is asked by the doctor. Another user than root only does what that user may do anyway.
struct Trust {
    private let trusted: Set<UInt32>
    private let isRoot: Bool

    /// - Parameter isRoot: whether this is root: for nobody else anything is refused.
    init(trusted: Set<UInt32> = WriteAccess.trustedHere(), isRoot: Bool = geteuid() == 0) {
        self.trusted = trusted
        self.isRoot = isRoot
    }

    // MARK: what is looked at

    /// What is wrong with the files of settings of a tree; nil when nothing is.
    func configurationFault(_ root: String) -> String? {
        for name in ["deployment.conf", "local.conf"] {
            let path = "\(root)/deployment/config/\(name)"
            // As ssh does it, a file of settings is its owner's alone to write, whoever is in its group today.
            if isRoot, let status = try? FileStatus(path), status.kind == .file, status.mode & 0o022 != 0 {
                return "others than its owner can write to '\(path)', which is read as root: chmod 640 '\(path)'"
            }
            if let fault = fault(at: path, "read for settings") { return fault }
        }
        return nil
    }

    /// What is wrong with what an operation runs; nil when nothing is.
    /// - Parameter keys: the settings whose commands it runs.
    func programFault(_ tree: DeploymentTree, _ keys: [String]) -> String? {
        guard isRoot else { return nil }
        let python = tree.configuration.python
        if let fault = programFault(python, tree, "run as the tree's interpreter") ?? environmentFault(python) {
            return fault
        }
        for key in keys {
            if let fault = commandFault(tree.configuration.words(key), tree, key) { return fault }
        }
        return nil
    }

    /// The settings whose commands an operation runs.
    static func keys(_ tree: DeploymentTree, testing: Bool) -> [String] {
        let configuration = tree.configuration
        var keys = ["INSTALL_COMMAND"]
        if testing, !configuration.flag("SKIP_TESTS") { keys.append("TEST_COMMAND") }
        if configuration.flag("NOTIFY_ON_SUCCESS") || configuration.flag("NOTIFY_ON_FAILURE") {
            keys.append("NOTIFY_COMMAND")
        }
        // What runs the service as somebody else runs nothing as root.
        let isOurs = ["", "root", "0"].contains(configuration["SERVICE_USER"])
        if isOurs, configuration["SERVICE_MANAGER"] != "systemd" { keys.append("SERVICE_COMMAND") }
        return keys
    }

    /// What is wrong with a command: its program, and the files and directories that its words name.
    /// - Parameter deep: whether of directories everything below them is looked at.
    func commandFault(_ words: [String], _ tree: DeploymentTree, _ key: String, deep: Bool = true) -> String? {
        guard isRoot, let first = words.first else { return nil }
        let use = "run by \(key)"
        if let fault = programFault(first, tree, use) { return fault }
        // These run the rest of the line as somebody else.
        let name = first.split(separator: "/").last ?? ""
        if ["runuser", "setpriv"].contains(name), words.count > 1 { return nil }
        var paths = words.dropFirst().compactMap { path(of: $0, tree) }
        // A module of this name is looked for there first.
        if words.contains("-m") { paths.append("\(tree.root)/src") }
        for path in paths {
            if let fault = fault(at: path, use) ?? (deep ? faultBelow(path, tree, use) : nil) { return fault }
        }
        return nil
    }

    /// Who else can change a release; nil when nobody can.
    func releaseFault(_ path: String) -> String? { fault(at: path, "safe to run") }

    /// What is wrong with a script of the kit's.
    func scriptFault(_ path: String) -> String? { fault(at: path, "run") }

    private func programFault(_ name: String, _ tree: DeploymentTree, _ use: String) -> String? {
        // One that is not there is told by whoever needs it.
        guard let program = try? CommandRunner.program([name], in: tree.root) else { return nil }
        return fault(at: program, use)
    }

    /// What an interpreter of a virtual environment runs by itself when it starts: what its settings name, and whatever stands in
    /// its directories of packages.
    private func environmentFault(_ python: String) -> String? {
        let (root, use) = (Files.parent(of: Files.parent(of: python)), "run by the tree's interpreter")
        guard python.hasPrefix("/"), access("\(root)/pyvenv.cfg", F_OK) == 0 else { return nil }
        if let fault = fault(at: "\(root)/pyvenv.cfg", use) { return fault }
        for version in (try? Files.entries("\(root)/lib")) ?? [] {
            let packages = "\(root)/lib/\(version)/site-packages"
            if let fault = fault(at: packages, use) { return fault }
            for name in (try? Files.entries(packages)) ?? [] {
                let path = "\(packages)/\(name)"
                guard let status = try? FileStatus(path) else { continue }
                if let fault = fault(of: path, status, path, use, isShared: false) { return fault }
            }
        }
        return nil
    }

    /// The file or directory that a word of a command names, also behind an equals sign.
    private func path(of word: String, _ tree: DeploymentTree) -> String? {
        let name =
            word.hasPrefix("-") ? word.split(separator: "=", maxSplits: 1).dropFirst().first.map(String.init) : word
        guard let name, !name.isEmpty else { return nil }
        let path = name.hasPrefix("/") ? name : "\(tree.root)/\(name)"
        // `tests/test_it.py::test_one` names a file too.
        return [path, path.components(separatedBy: "::")[0]].first { access($0, F_OK) == 0 }
    }

    // MARK: looking

    /// What lets somebody else change what is at a path: the file itself, or any directory or link on the way to it, as the
    /// kernel goes it.
    private func fault(at path: String, _ use: String) -> String? {
        guard isRoot else { return nil }
        var (here, open, links) = ("", path.split(separator: "/").map(String.init)[...], 0)
        var isShared = false
        if let top = try? FileStatus("/"), let fault = fault(of: "/", top, path, use, isShared: false) { return fault }
        while let name = open.popFirst() {
            if name == "." { continue }
            if name == ".." {
                here = here.isEmpty ? "" : String(here[..<(here.lastIndex(of: "/") ?? here.startIndex)])
                continue
            }
            let next = "\(here)/\(name)"
            guard let status = try? FileStatus(next) else { return nil }
            if let fault = fault(of: next, status, path, use, isShared: isShared) { return fault }
            isShared = status.kind == .directory && status.mode & 0o1000 != 0
            guard status.kind == .link else {
                here = next
                continue
            }
            links += 1
            guard links <= 40, let target = try? FileManager.default.destinationOfSymbolicLink(atPath: next) else {
                return nil
            }
            if target.hasPrefix("/") { here = "" }
            open = (target.split(separator: "/").map(String.init) + open)[...]
        }
        return nil
    }

    /// Everything below a directory, where a command is given one.
    private func faultBelow(_ path: String, _ tree: DeploymentTree, _ use: String) -> String? {
        for name in (try? Files.entries(path)) ?? [] {
            // Of the tree as a whole, what no command is meant for when it is given the tree.
            if path == tree.root, DeploymentTree.reserved.contains(name) { continue }
            let inner = "\(path)/\(name)"
            guard let status = try? FileStatus(inner) else { continue }
            if let fault = fault(of: inner, status, inner, use, isShared: false) { return fault }
            if status.kind == .directory, let fault = faultBelow(inner, tree, use) { return fault }
        }
        return nil
    }

    /// - Parameter isShared: whether the directory above lets everybody add names, but change only their own.
    private func fault(
        of path: String, _ status: FileStatus, _ whole: String, _ use: String, isShared: Bool
    ) -> String? {
        var stranger: WriteAccess.Stranger?
        do { stranger = try WriteAccess.stranger(at: path, status, trusted: trusted) } catch {
            return "'\(Text.plain(path))' cannot be looked at (\(error)), so it is not \(use) as root"
        }
        if isShared, status.kind == .link, !trusted.contains(status.user) { stranger = .owner(status.user) }
        // Where only who made a name can change it, a name of root's is root's.
        if status.kind == .directory, status.mode & 0o1000 != 0, stranger != .owner(status.user) { return nil }
        guard let stranger else { return nil }
        let shown = Text.plain(path)
        let what = path == whole ? "'\(shown)'" : "'\(shown)', on the way to '\(Text.plain(whole))',"
        // Of a whole tree that was given away, one command is enough.
        let isTree = status.kind == .directory && access("\(path)/deployment/config", F_OK) == 0
        let (who, remedy) = Self.words(stranger, isTree ? "-R root '\(shown)'" : "root '\(shown)'", shown)
        return "\(what) \(who), so it is not \(use) as root: \(remedy)"
    }

    private static func words(
        _ stranger: WriteAccess.Stranger, _ toRoot: String, _ path: String
    ) -> (who: String, remedy: String) {
        switch stranger {
        case .owner(let user):
            let name = WriteAccess.name(ofUser: user)
            return (
                "belongs to user \(name)",
                "give it to root (chown \(toRoot)), or do this as that user (runuser -u \(name) -- fracas …)"
            )
        case .group(let group):
            return ("can be written by group \(WriteAccess.name(ofGroup: group))", "chmod g-w '\(path)'")
        case .everybody: return ("can be written by everyone", "chmod o-w '\(path)'")
        case .listedUser(let user):
            let name = WriteAccess.name(ofUser: user)
            return ("can be written by user \(name), as its access list says", "setfacl -x u:\(name) '\(path)'")
        case .listedGroup(let group):
            let name = WriteAccess.name(ofGroup: group)
            return ("can be written by group \(name), as its access list says", "setfacl -x g:\(name) '\(path)'")
        }
    }
}
