import Foundation
import Glibc
import Platform

/// A release with a signature: `RELEASE.manifest` beside its directory lists it, `RELEASE.manifest.sig` is the signature of that.
public struct ReleaseSignature: Codable, Sendable {
    /// The release's directory.
    public let release: String
    /// The list that is signed.
    public let manifest: String
    /// Its signature.
    public let signature: String
    /// Who signed, as the file of allowed signers calls them; empty where nobody looked.
    public let signer: String
    /// The key, its kind and fingerprint.
    public let key: String
    /// How many names the release has.
    public let entries: Int

    // MARK: signing

    /// Lists a release and signs the list. Blocks the calling thread.
    /// - Parameter key: a private key's file, or a public one's whose private key an agent has.
    /// - Throws: `DeploymentError` when it cannot be signed: then nothing was written.
    public static func sign(_ release: String, key: String) throws(DeploymentError) -> ReleaseSignature {
        let release = try directory(release)
        let key = URL(fileURLWithPath: key).standardizedFileURL.path
        guard access(key, R_OK) == 0, let place = realpath(key, nil) else {
            throw DeploymentError(
                .configuration, "the key '\(key)' cannot be read: give a private key of ssh-keygen(1)")
        }
        defer { free(place) }
        guard !String(cString: place).hasPrefix(release + "/") else {
            throw DeploymentError(
                .configuration,
                "the key '\(key)' lies in the release, with which it would be deployed: take it out first")
        }
        let manifest = try ReleaseManifest(of: release)
        let (bytes, path) = (try Text.json(manifest), ReleaseManifest.path(of: release))
        let sheet = try SignatureProgram.Sheet(path, bytes)
        let result = try SignatureProgram.run(
            "sign", ["-f", key, "-n", SignatureProgram.namespace], input: sheet)
        guard result.status == 0, let text = armor(in: result.output) else {
            throw DeploymentError(
                .environment,
                "ssh-keygen does not sign with '\(key)': \(result.says); a key with a passphrase signs through ssh-agent: ssh-add '\(key)', then give its .pub file"
            )
        }
        let signature = Array(text.utf8)
        let used = try check(sheet, signature, "\(path).sig")
        for (path, bytes) in [(path, bytes), (path + ".sig", signature)] {
            do { try Files.replace(path, bytes, mode: 0o644) } catch {
                throw DeploymentError(.files, "write '\(path)': \(error)\(Copying.remedy(error))")
            }
        }
        return ReleaseSignature(
            release: release, manifest: path, signature: path + ".sig", signer: "", key: used,
            entries: manifest.entries.count)
    }

    private static func armor(in text: String) -> String? {
        let (begin, end) = ("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----")
        guard let first = text.range(of: begin), let last = text.range(of: end), first.lowerBound < last.lowerBound
        else { return nil }
        return String(text[first.lowerBound..<last.upperBound]) + "\n"
    }

    private static func directory(_ release: String) throws(DeploymentError) -> String {
        let path = URL(fileURLWithPath: release).standardizedFileURL.path
        guard (try? FileStatus(path))?.kind == .directory, let place = realpath(path, nil) else {
            throw DeploymentError(.configuration, "the release '\(path)' is not a directory")
        }
        defer { free(place) }
        return String(cString: place)
    }

    // MARK: verifying

    /// Verifies a release: the signature, who made it, and every name. Blocks the calling thread.
    /// - Throws: `DeploymentError` with what is wrong, and what to do.
    public static func verify(_ release: String, signers: Signers) throws(DeploymentError) -> ReleaseSignature {
        let release = try directory(release)
        let (signature, manifest) = try signed(release, by: signers)
        try require(manifest.faults(of: try ReleaseManifest(of: release)), of: release)
        return signature
    }

    /// Reads what was signed for a release, and who signed it; the release itself is not looked at.
    static func signed(_ release: String, by signers: Signers) throws(DeploymentError) -> (
        ReleaseSignature, ReleaseManifest
    ) {
        let path = ReleaseManifest.path(of: release)
        let bytes = try read(path, release, limit: ReleaseManifest.limit)
        let signature = try read(path + ".sig", release, limit: 1 << 16)
        let files = try signers.read()
        let sheet = try SignatureProgram.Sheet(path, bytes)
        let key = try check(sheet, signature, path + ".sig")
        let signer = try Verification(
            list: sheet, signature: SignatureProgram.Sheet(path + ".sig", signature),
            allowed: SignatureProgram.Sheet(signers.allowed, files.allowed),
            revoked: try revoked(signers, files.revoked), key: key
        ).signer()
        let manifest = try ReleaseManifest(reading: bytes, at: path)
        return (
            ReleaseSignature(
                release: release, manifest: path, signature: path + ".sig", signer: signer, key: key,
                entries: manifest.entries.count), manifest
        )
    }

    private static func revoked(_ signers: Signers, _ bytes: [UInt8]?) throws(DeploymentError) -> SignatureProgram
        .Sheet?
    {
        guard let bytes, let name = signers.revoked else { return nil }
        return try SignatureProgram.Sheet(name, bytes)
    }

    private static func read(_ path: String, _ release: String, limit: Int) throws(DeploymentError) -> [UInt8] {
        do {
            let bytes = try Files.open(path, flags: O_RDONLY | O_NOFOLLOW).readAll(limit: limit)
            guard bytes.count < limit else {
                throw DeploymentError(.damaged, "'\(path)' is larger than \(limit) bytes: it is no release's")
            }
            return bytes
        } catch let error as DeploymentError { throw error } catch {
            throw DeploymentError(
                .environment,
                "the release '\(release)' is not signed: read '\(path)': \(error); where it was made: fracas release sign '\(release)' --key KEY, and carry both files beside it"
            )
        }
    }

    /// Whether the signature is one of this list, whoever made it.
    /// - Returns: the key.
    private static func check(_ list: SignatureProgram.Sheet, _ signature: [UInt8], _ path: String)
        throws(DeploymentError) -> String
    {
        let sheet = try SignatureProgram.Sheet(path, signature)
        let result = try SignatureProgram.run(
            "check-novalidate", ["-n", SignatureProgram.namespace, "-s", sheet.path], input: list, naming: [sheet])
        guard result.status == 0 else {
            let isForeign = result.output.contains("namespace")
            throw DeploymentError(
                .environment,
                "the signature '\(path)' is none of '\(list.name)' (\(result.says)): "
                    + (isForeign
                        ? "it was made for something else than releases (namespace \(SignatureProgram.namespace))"
                        : "that was changed after it was signed, or this is the signature of another release")
                    + "; sign the release anew with 'fracas release sign'")
        }
        return result.output.firstMatch(of: /with (\S+ key \S+)/).map { String($0.1) } ?? "a key it does not name"
    }

    /// - Throws: `DeploymentError` that names what is not as it was signed; nil faults are none.
    static func require(_ faults: [String], of release: String) throws(DeploymentError) {
        guard !faults.isEmpty else { return }
        let more = faults.count > 20 ? ["and \(faults.count - 20) more"] : []
        throw DeploymentError(
            .damaged,
            (["the release '\(release)' is not what was signed: carry it here again, or sign it anew"]
                + faults.prefix(20).map(Text.plain) + more).joined(separator: "\n"))
    }
}

/// Who made a signature, and whether they may.
struct Verification {
    let list: SignatureProgram.Sheet
    let signature: SignatureProgram.Sheet
    let allowed: SignatureProgram.Sheet
    let revoked: SignatureProgram.Sheet?
    let key: String

    /// - Returns: the name that the file of allowed signers has for them.
    /// - Throws: `DeploymentError` when they may not sign releases, with why.
    func signer() throws(DeploymentError) -> String {
        let found = try SignatureProgram.run(
            "find-principals", ["-s", signature.path, "-f", allowed.path], input: list, naming: [allowed, signature])
        guard found.status == 0 else { throw refusal(found.says) }
        var said = ""
        for name in found.output.split(separator: "\n").map(String.init) {
            let result = try verify(name, heeding: revoked)
            if result.status == 0 { return Text.plain(name) }
            said = result.says
            if revoked != nil, try verify(name, heeding: nil).status == 0 {
                throw DeploymentError(
                    .environment,
                    "the \(key) of '\(Text.plain(name))', which signed '\(list.name)', is revoked by '\(revoked?.name ?? "")' (SIGNATURE_REVOKED_KEYS): sign the release with another key"
                )
            }
        }
        throw refusal(said)
    }

    private func verify(_ name: String, heeding revoked: SignatureProgram.Sheet?) throws(DeploymentError)
        -> CommandRunner.Result
    {
        let more = revoked.map { ["-r", $0.path] } ?? []
        return try SignatureProgram.run(
            "verify",
            ["-I", name, "-n", SignatureProgram.namespace, "-s", signature.path, "-f", allowed.path] + more,
            input: list, naming: [allowed, signature] + [revoked].compactMap(\.self))
    }

    private func refusal(_ says: String) -> DeploymentError {
        let why: String
        switch says {
        case let text where text.contains("expired"):
            why =
                "that key has expired: sign the release with a newer key, or set valid-before in that file to a later day"
        case let text where text.contains("not yet valid"):
            why = "that key is not valid yet: look at valid-after in that file, and at this machine's clock"
        case let text where text.contains("not permitted"):
            why = "that key may sign other things alone: add namespaces=\"\(SignatureProgram.namespace)\" in that file"
        default:
            why =
                "nobody in that file has this key: when you trust it add NAME namespaces=\"\(SignatureProgram.namespace)\" KEYTYPE KEY to it, else find out who made the release"
        }
        return DeploymentError(
            .environment,
            "'\(list.name)' is signed with the \(key), which '\(allowed.name)' does not allow (\(says)): \(why)")
    }
}
