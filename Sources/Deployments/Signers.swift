import Foundation
import Glibc
import Platform

/// Who may sign releases: a file of OpenSSH's form `allowed_signers`, and one of keys that are revoked.
public struct Signers: Sendable {
    let allowed: String
    let revoked: String?
    /// Directories in which neither file may be: what is there comes with a release.
    let outside: [String]

    /// Who may sign.
    /// - Parameters:
    ///   - allowed: the file's path.
    ///   - revoked: the path of a file of public keys, or a key revocation list; nil when there is none.
    ///   - release: the release's directory.
    public init(allowed: String, revoked: String?, release: String) {
        self.allowed = Self.absolute(allowed)
        self.revoked = revoked.map(Self.absolute)
        outside = [release]
    }

    /// Those that a tree's configuration names.
    /// - Throws: `DeploymentError` when it names none.
    init(_ tree: DeploymentTree, release: String) throws(DeploymentError) {
        guard let allowed = tree.configuration.path("SIGNATURE_ALLOWED_SIGNERS") else {
            throw DeploymentError(
                .configuration,
                "REQUIRE_SIGNATURE is true (\(tree.configuration.source(of: "REQUIRE_SIGNATURE"))), but SIGNATURE_ALLOWED_SIGNERS is empty: give the file of who may sign, as /etc/fracas/allowed_signers"
            )
        }
        self.allowed = allowed
        revoked = tree.configuration.path("SIGNATURE_REVOKED_KEYS")
        let names = ((try? Files.entries(tree.root)) ?? []).filter { !DeploymentTree.reserved.contains($0) }
        outside = [release] + names.map { "\(tree.root)/\($0)" }
    }

    private static func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }

    /// Reads both.
    /// - Throws: `DeploymentError` when one is not there, lies where a release could bring it, or another user could write to it.
    func read() throws(DeploymentError) -> (allowed: [UInt8], revoked: [UInt8]?) {
        let allowed = try Self.read(allowed, "file of allowed signers", outside)
        guard let revoked else { return (allowed, nil) }
        return (allowed, try Self.read(revoked, "file of revoked keys", outside))
    }

    private static func read(_ path: String, _ what: String, _ outside: [String]) throws(DeploymentError) -> [UInt8] {
        let real = try trusted(path, what)
        for directory in outside {
            guard let place = realpath(directory, nil) else { continue }
            defer { free(place) }
            let inside = String(cString: place)
            if real == inside || real.hasPrefix(inside + "/") {
                throw DeploymentError(
                    .environment,
                    "the \(what) '\(path)' lies in '\(directory)', where a release could bring its own: keep it elsewhere, as in /etc/fracas"
                )
            }
        }
        do {
            let bytes = try Files.open(real, flags: O_RDONLY | O_NOFOLLOW).readAll(limit: 1 << 24)
            guard !bytes.isEmpty else { throw DeploymentError(.environment, "the \(what) '\(path)' is empty") }
            return bytes
        } catch let error as DeploymentError { throw error } catch {
            throw DeploymentError(.environment, "read the \(what) '\(path)': \(error)")
        }
    }

    /// Goes to a file name by name, as the kernel does, and sees that nobody but root and ourselves could put another one there.
    /// - Returns: its path without links.
    private static func trusted(_ path: String, _ what: String) throws(DeploymentError) -> String {
        var place = ""
        var ahead = Array(path.split(separator: "/").reversed().map(String.init))
        var links = 0
        while let name = ahead.popLast() {
            if name == "." { continue }
            if name == ".." {
                place = place == "" ? "" : Files.parent(of: place)
                if place == "/" { place = "" }
                continue
            }
            let next = "\(place)/\(name)"
            let status = try look(next, path, what)
            try requireOwn(next, status, path, what, isLast: ahead.isEmpty)
            guard status.kind == .link else {
                place = next
                continue
            }
            links += 1
            guard links <= 40, let target = ProcFile.linkBytes(next).map({ String(decoding: $0, as: UTF8.self) }) else {
                throw DeploymentError(.environment, "the \(what) '\(path)': the link '\(next)' leads nowhere")
            }
            if target.hasPrefix("/") { place = "" }
            ahead += target.split(separator: "/").reversed().map(String.init)
        }
        return place
    }

    private static func look(_ place: String, _ path: String, _ what: String) throws(DeploymentError) -> FileStatus {
        do {
            if let status = try FileStatus(place) { return status }
        } catch {
            throw DeploymentError(.environment, "look at '\(place)' on the way to the \(what) '\(path)': \(error)")
        }
        throw DeploymentError(
            .environment,
            "the \(what) '\(path)' is not there\(place == path ? "" : ", as '\(place)' is not"): make it, a line a signer: NAME namespaces=\"\(SignatureProgram.namespace)\" KEYTYPE KEY"
        )
    }

    private static func requireOwn(
        _ place: String, _ status: FileStatus, _ path: String, _ what: String, isLast: Bool
    ) throws(DeploymentError) {
        let begin = "the \(what) '\(path)' could be changed by another user: "
        guard status.user == 0 || status.user == geteuid() else {
            throw DeploymentError(
                .environment,
                "\(begin)'\(place)' belongs to user \(status.user): chown \(geteuid()) '\(place)', or keep the file elsewhere"
            )
        }
        if status.kind == .link { return }
        // In a sticky directory nobody can replace what is another's; what is ours in it is looked at next.
        let isSticky = status.kind == .directory && status.mode & 0o1000 != 0
        guard status.mode & 0o022 == 0 || isSticky else {
            throw DeploymentError(
                .environment,
                "\(begin)'\(place)' has the permissions \(String(status.mode, radix: 8)): chmod go-w '\(place)'")
        }
        if isLast, status.kind != .file {
            throw DeploymentError(.environment, "the \(what) '\(path)' is not a file: give one")
        }
    }
}
