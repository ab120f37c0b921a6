import Platform
import SystemPackage

/// What could not be removed: the cache directory of another user, a file with the attribute `i`, something that is mounted. It is put
/// aside under a name of its own beside where it was, in nobody's way, and told; every later operation tries again.
struct Leavings {
    private static let prefix = ".left-"

    /// Removes a file or a directory.
    /// - Returns: what an operator has to know: what is left, where, and why; nil when all is gone.
    /// - Throws: `DeploymentError` when it could not even be put aside: then it is in the way.
    static func remove(_ path: String) throws(DeploymentError) -> String? {
        let left = Files.clear(path)
        guard let first = left.first else { return nil }
        let aside = "\(Files.parent(of: path))/\(prefix)\(DeploymentTree.stamp())"
        var place = ""
        do {
            for number in 0..<1000 {
                place = number == 0 ? aside : "\(aside)-\(number)"
                if try FileStatus(place) == nil { break }
            }
            try Files.rename(path, place)
            try Files.sync(directory: Files.parent(of: path))
        } catch {
            throw DeploymentError(
                .files,
                "remove '\(first.path)': \(first.error)\(Copying.remedy(first.error)); nor could '\(path)' be put aside: \(error)"
            )
        }
        return tell(place, place + first.path.dropFirst(path.count), first.error, left.count)
    }

    /// Tries again what could not be removed, in a directory that has it put aside.
    /// - Returns: what is still left.
    static func retry(in directory: String) -> [String] {
        names(in: directory).compactMap { name in
            let path = "\(directory)/\(name)"
            let left = Files.clear(path)
            return left.first.map { tell(path, $0.path, $0.error, left.count) }
        }
    }

    /// What is put aside in a directory.
    static func names(in directory: String) -> [String] {
        ((try? Files.entries(directory)) ?? []).filter { $0.hasPrefix(prefix) }
    }

    private static func tell(_ place: String, _ path: String, _ error: Errno, _ count: Int) -> String {
        let more = count > 1 ? ", nor \(count - 1) more" : ""
        let remedy =
            switch error {
            case .resourceBusy: "unmount what is mounted there (findmnt), then remove it"
            case .notPermitted: "as root: chattr -R -i -a '\(place)' && rm -r '\(place)'"
            default: "as root: rm -r '\(place)'"
            }
        return
            "'\(Text.plain(path))' cannot be removed (\(error))\(more); it is left there and in nobody's way: \(remedy)"
    }
}
