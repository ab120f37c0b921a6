import Glibc
import Platform

/// Where a symbolic link of a tree leads, name by name as the kernel goes: a `..` goes up from where one really is, which after a
/// name that is itself a link is not where the text says.
struct LinkRule {
    /// What a name on the way is.
    enum Name: Equatable {
        /// A directory, a file, or nothing yet: the way goes through it as it is written.
        case plain
        /// A link, with its target.
        case link(String)
        /// Not to be seen from here; who puts the tree together looks again.
        case unknown
    }

    /// What is at a path of the tree, no name on the way to which is a link.
    let name: (String) -> Name
    /// How many links the kernel goes through before it gives up with `ELOOP`: a circle leads nowhere, so not out of the tree either.
    private static let most = 40

    /// Why a link at a path cannot point where it does; nil when it stays in the tree.
    func fault(inLink path: String, to target: String) -> String? {
        let outside = "points at '\(Text.plain(target))', which is not in the tree"
        // An absolute one would point at the tree itself from a backup of it.
        if target.isEmpty || target.hasPrefix("/") { return outside }
        var place = path.split(separator: "/").dropLast().map(String.init)
        var ahead = Array(target.split(separator: "/").reversed().map(String.init))
        var links = 0
        while let next = ahead.popLast() {
            if next == "." { continue }
            if next == ".." {
                if place.popLast() == nil { return outside }
                continue
            }
            switch name((place + [next]).joined(separator: "/")) {
            case .plain: place.append(next)
            case .unknown: return nil
            case .link(let further):
                links += 1
                if links > Self.most { return nil }
                if further.isEmpty || further.hasPrefix("/") {
                    return
                        "\(outside): on the way '\((place + [next]).joined(separator: "/"))' points at '\(Text.plain(further))'"
                }
                ahead += further.split(separator: "/").reversed().map(String.init)
            }
        }
        return nil
    }

    /// What is at a path on disk.
    /// - Returns: nil when nothing is there.
    static func look(_ path: String) -> Name? {
        guard let status = try? FileStatus(path) else { return nil }
        guard status.kind == .link, let bytes = ProcFile.linkBytes(path) else { return .plain }
        return .link(String(decoding: bytes, as: UTF8.self))
    }
}

/// What else decides where a link leads that is found while some names of a directory are read.
package enum Surroundings {
    /// Nothing: the directory is the tree.
    case none
    /// The directory is a part of a tree, and it is not known which.
    case unknown
    /// The directory has these names of the tree whole; the tree's others are there.
    case others(String)
    /// The directory is to be laid over the tree that is there.
    case below(String)

    /// The rule for links in a directory.
    func rule(_ root: String, units: [String]) -> LinkRule {
        let units = Set(units)
        func isOwn(_ path: String) -> Bool { units.contains(String(path.prefix { $0 != "/" })) }
        return LinkRule { path in
            if case .others(let tree) = self, !isOwn(path) { return LinkRule.look("\(tree)/\(path)") ?? .plain }
            if case .unknown = self, !isOwn(path) { return .unknown }
            if let found = LinkRule.look("\(root)/\(path)") { return found }
            if case .below(let tree) = self { return LinkRule.look("\(tree)/\(path)") ?? .plain }
            return .plain
        }
    }
}
