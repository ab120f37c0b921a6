import Platform

/// A release that a deployment was allowed to take because of its signature: the list that was signed, and which of its names come
/// into the tree.
struct SignedRelease: Sendable {
    let signature: ReleaseSignature
    let manifest: ReleaseManifest
    /// The paths that are staged.
    let paths: Set<String>
    /// Those of them that the tree does not have yet.
    let new: Set<String>

    /// Holds what lies beside the tree, and is about to be exchanged for it, against what was signed: a release that somebody changes
    /// while it is copied is caught here, whatever was read of it before.
    func require(staged: String, _ units: [String], _ tree: DeploymentTree) throws(DeploymentError) {
        let entries = try Scan.entries(of: staged, units: units, in: .others(tree.root))
        try ReleaseSignature.require(
            manifest.faults(of: entries.filter { paths.contains($0.path) }, new: new), of: signature.release)
    }
}

extension Deployer {
    /// Verifies the signature of the release, when the configuration asks for one: first of all that the directory is to the last name
    /// what was signed, then that what was read of it to be staged is the same.
    /// - Returns: what was signed; nil when no signature is asked for.
    /// - Throws: `DeploymentError` before anything is touched.
    func verifySignature(_ operation: Operation, _ entries: [Entry], _ absent: [String]) throws(DeploymentError)
        -> SignedRelease?
    {
        guard tree.configuration.flag("REQUIRE_SIGNATURE") else {
            operation.checks.append(Check("signature", .skipped, "not asked for (REQUIRE_SIGNATURE)"))
            return nil
        }
        let detail = { (signed: SignedRelease) in
            "signed by '\(signed.signature.signer)' with the \(signed.signature.key), \(signed.signature.entries) names"
        }
        return try operation.step("verify the release's signature", detail) { () throws(DeploymentError) in
            let (signature, manifest) = try ReleaseSignature.signed(
                release, by: try Signers(tree, release: release))
            try ReleaseSignature.require(manifest.faults(of: try ReleaseManifest(of: release)), of: release)
            try ReleaseSignature.require(manifest.faults(of: entries, new: Set(absent)), of: release)
            return SignedRelease(
                signature: signature, manifest: manifest, paths: Set(entries.map(\.path)), new: Set(absent))
        }
    }
}

extension DeploymentDoctor {
    /// Whether a signature that is asked for could be verified, as a deployment would find it.
    static func signature(_ tree: DeploymentTree) -> Check {
        let name = "signatures"
        guard tree.configuration.flag("REQUIRE_SIGNATURE") else {
            return Check(name, .skipped, "are not asked for (REQUIRE_SIGNATURE)")
        }
        let release = tree.configuration.path("RELEASE_DIR") ?? ""
        do {
            _ = try Signers(tree, release: release).read()
            try SignatureProgram.require("verify")
            return Check(name, .passed, "are asked for, and who may sign is known")
        } catch { return Check(name, .failed, error.description) }
    }
}
