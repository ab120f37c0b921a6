import Foundation

/// What a backup holds, and what there was not when it was made.
public struct Manifest: Codable, Sendable {
    /// Why a backup was made.
    public enum Kind: String, Codable, Sendable {
        /// Before a deployment.
        case deployment = "pre-deployment"
        /// Before a rollback, of what the rollback replaced.
        case safety = "pre-rollback"
        /// With `--backup-only`.
        case manual
    }

    /// The form of this file.
    public var version = 1
    /// The backup's name, `YYYYMMDD_HHMMSS`.
    public var id: String
    /// Its place among the tree's backups, whatever the clock said; nil in manifests of earlier versions, which come first.
    public var sequence: Int?
    /// When it was made, ISO 8601.
    public var date: String
    /// Why.
    public var kind: Kind
    /// The software's version as its `pyproject.toml` has it; empty when it says none.
    public var softwareVersion: String
    /// The commit that was checked out; empty outside of git.
    public var gitCommit: String
    /// The names at the top of the tree that it covers, all of which a rollback replaces as wholes.
    public var units: [String]
    /// Everything there was below them.
    public var entries: [Entry]
    /// What the deployment was about to add: paths that did not exist.
    public var absent: [String]
    /// The hash over all entries.
    public var treeHash: String

    /// Makes one from what a tree held.
    package init(id: String, kind: Kind, units: [String], entries: [Entry], absent: [String], root: String) {
        self.id = id
        self.kind = kind
        self.units = units
        self.entries = entries
        self.absent = absent
        date = Date().formatted(.iso8601)
        treeHash = Scan.treeHash(entries)
        softwareVersion = TreeFacts.version(root)
        gitCommit = TreeFacts.commit(root)
    }

    /// Why it cannot be followed; nil when it can. What it says is not trusted before that.
    package var fault: String? {
        if version != 1 { return "has the form \(version), which this fracas does not know" }
        if units.isEmpty { return "names nothing to restore" }
        for unit in units {
            if unit.contains("/") || Entry.fault(in: unit) != nil || DeploymentTree.reserved.contains(unit) {
                return "wants to replace '\(Text.plain(unit))'"
            }
        }
        // What is not in it is looked at when it is put into a tree: then all is there.
        let targets = Dictionary(
            entries.filter { $0.kind == .link }.map { ($0.path, $0.target) }, uniquingKeysWith: { first, _ in first })
        let links = LinkRule { path in
            guard units.contains(String(path.prefix { $0 != "/" })) else { return .unknown }
            return targets[path].map { .link($0) } ?? .plain
        }
        var kinds: [String: Entry.Kind] = [:]
        for entry in entries {
            let name = "'\(Text.plain(entry.path))'"
            if let fault = Entry.fault(in: entry.path) { return "has the path \(name), which \(fault)" }
            guard let unit = entry.path.split(separator: "/").first, units.contains(String(unit)) else {
                return "has the path \(name), which is below none of its units"
            }
            if kinds.updateValue(entry.kind, forKey: entry.path) != nil { return "has the path \(name) twice" }
            if entry.kind == .link, let fault = links.fault(inLink: entry.path, to: entry.target) {
                return "has the link \(name), which \(Text.plain(fault))"
            }
            if let name = entry.attributes?.keys.first(where: { !Attributes.isKept($0) }) {
                return "has the attribute '\(Text.plain(name))' for '\(Text.plain(entry.path))'"
            }
            if entry.mode > 0o7777 { return "has the permissions \(String(entry.mode, radix: 8)) for \(name)" }
            if let slash = entry.path.lastIndex(of: "/"), kinds[String(entry.path[..<slash])] != .directory {
                return "has the path \(name) in what is no directory of it"
            }
        }
        for path in absent {
            if let fault = Entry.fault(in: path) { return "has the path '\(Text.plain(path))', which \(fault)" }
        }
        return Scan.treeHash(entries) == treeHash ? nil : "does not have the hash that it says"
    }
}

/// What a tree says of itself.
enum TreeFacts {
    /// The version in its `pyproject.toml`; empty when there is none.
    static func version(_ root: String) -> String {
        guard let text = small("\(root)/pyproject.toml"),
            let match = text.firstMatch(of: /(?m)^version\s*=\s*"([^"\n]*)"/)
        else { return "" }
        return Text.plain(String(match.1.prefix(100)))
    }

    /// The commit that is checked out, as its `.git` says; empty when it says none.
    static func commit(_ root: String) -> String {
        guard var head = small("\(root)/.git/HEAD")?.trimmingCharacters(in: .whitespacesAndNewlines) else { return "" }
        if head.hasPrefix("ref: ") {
            let name = String(head.dropFirst(5))
            guard Entry.fault(in: name) == nil else { return "" }
            let packed = small("\(root)/.git/packed-refs")?.split(separator: "\n").first { $0.hasSuffix(" \(name)") }
            head =
                small("\(root)/.git/\(name)")?.trimmingCharacters(in: .whitespacesAndNewlines)
                ?? packed.map { String($0.prefix { $0 != " " }) } ?? ""
        }
        return head.count >= 40 && head.allSatisfy(\.isHexDigit) ? head : ""
    }

    private static func small(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0.prefix(1 << 20), as: UTF8.self) }
    }
}
