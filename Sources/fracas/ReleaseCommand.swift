import ArgumentParser
import Deployments

/// `fracas release`.
struct ReleaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Signs releases, and verifies their signatures.",
        discussion: """
            What is signed is a list of all that the release's directory holds: every path with its kind, permissions, link target \
            and SHA-256. The list and its signature lie beside the directory, as RELEASE.manifest and RELEASE.manifest.sig, and are \
            carried with it to the hosts. The cryptography is OpenSSH's (ssh-keygen -Y, 8.2 or later).

            Once, where releases are made, a key; on every host the file of those who may sign, and the demand:

              ssh-keygen -t ed25519 -C releases -f release-key
              echo "releases namespaces=\\"fracas-release\\" $(cut -d' ' -f1,2 release-key.pub)" >/etc/fracas/allowed_signers
              # deployment/config/local.conf
              REQUIRE_SIGNATURE=true
              SIGNATURE_ALLOWED_SIGNERS=/etc/fracas/allowed_signers

            Then for each release:

              fracas release sign /srv/app-fixed --key release-key
              fracas release verify /srv/app-fixed --allowed-signers /etc/fracas/allowed_signers
              fracas deploy --tree /opt/app --release /srv/app-fixed
            """,
        subcommands: [Sign.self, Verify.self])

    /// What both have in common.
    struct Options: ParsableArguments {
        @Argument(help: "The release's directory.")
        var release: String
        @Option(help: "What standard output carries: text or json.")
        var format: RunOptions.Format = .text

        func finish(_ verb: String, _ signature: ReleaseSignature, _ text: String, _ seconds: Double) throws {
            let answer = Answer(
                "release", changed: verb == "signed", outcome: verb, exit: 0, message: text, seconds: seconds,
                details: signature)
            Output.say(format == .json ? try Output.encoded(answer) : text)
        }
    }

    struct Sign: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sign", abstract: "Lists what a release holds, and signs the list.",
            discussion: """
                Writes RELEASE.manifest and RELEASE.manifest.sig beside the directory. Whatever is changed in the release afterwards, \
                permissions and caches of an interpreter too, makes hosts refuse it: sign last.

                  fracas release sign /srv/app-fixed --key release-key

                A key with a passphrase signs through an agent: ssh-add release-key, then --key release-key.pub.

                Exit codes: 0 signed, 2 not: nothing was written.
                """)

        @OptionGroup var options: Options
        @Option(help: "A private key of ssh-keygen(1), or the public one of a key that ssh-agent(1) has.")
        var key: String

        func run() async throws {
            let (release, key, began) = (options.release, key, ContinuousClock.now)
            let signature = try await DeploymentOptions.blocking { try ReleaseSignature.sign(release, key: key) }
            try options.finish(
                "signed", signature,
                "signed \(signature.entries) names with the \(signature.key): \(signature.signature)",
                began.seconds)
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify", abstract: "Says whether a release is what somebody signed who may.",
            discussion: """
                As a deployment does it with REQUIRE_SIGNATURE: the signature must be of this list, by a signer who is allowed and not \
                expired or revoked, and the directory must be what the list says, no name more and none less.

                  fracas release verify /srv/app-fixed --allowed-signers /etc/fracas/allowed_signers

                The file has a line a signer, as ssh-keygen(1) says under ALLOWED SIGNERS:

                  NAME namespaces="fracas-release",valid-before="20270101" ssh-ed25519 AAAA…

                It must not lie in the release, and nobody but its owner may be able to write to it or replace it.

                Exit codes: 0 verified, 2 refused, with every difference by name.
                """)

        @OptionGroup var options: Options
        @Option(help: "Who may sign releases.")
        var allowedSigners: String
        @Option(help: "Public keys, or a revocation list of ssh-keygen(1), that may no longer sign.")
        var revokedKeys: String?

        func run() async throws {
            let (release, began) = (options.release, ContinuousClock.now)
            let signers = Signers(allowed: allowedSigners, revoked: revokedKeys, release: release)
            let signature = try await DeploymentOptions.blocking {
                try ReleaseSignature.verify(release, signers: signers)
            }
            try options.finish(
                "verified", signature,
                "verified: \(signature.entries) names, signed by '\(signature.signer)' with the \(signature.key)",
                began.seconds)
        }
    }
}
