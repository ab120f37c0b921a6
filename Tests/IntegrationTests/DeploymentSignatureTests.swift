import Foundation
import Testing

/// What is deployed is what somebody signed who may; all else is refused by name before anything is touched.
@Suite(
    "Signed releases", .serialized, .enabled(if: SigningKeys.isThere, "signatures need OpenSSH's ssh-keygen"))
struct DeploymentSignatureTests {
    /// A small tree that asks for signatures, a release that brings a directory, a program and a link, and keys.
    private func make(_ settings: [String: String] = [:]) throws -> (DeployedTree, SigningKeys, release: String) {
        let tree = try LightTree.make(settings)
        let keys = try SigningKeys(in: tree.directory)
        let all = [
            "REQUIRE_SIGNATURE": "true", "SIGNATURE_ALLOWED_SIGNERS": keys.allowed, "RELEASE_DIR": "releases/signed",
        ]
        let lines = all.map { "\n\($0.key)=\"\($0.value)\"" }.sorted().joined()
        try tree.write("deployment/config/local.conf", tree.text("deployment/config/local.conf") + lines + "\n")
        for (name, text) in [("lib/a", "one"), ("lib/run", "two"), ("lib/sub/b", "three"), ("lib/gone", "four")] {
            try tree.write("releases/signed/\(name)", text)
        }
        let release = "\(tree.root)/releases/signed"
        chmod("\(release)/lib/run", 0o755)
        symlink("a", "\(release)/lib/link")
        try tree.write("lib/a", "old")
        try keys.sign(release)
        return (tree, keys, release)
    }

    @Test func aSignedReleaseIsDeployed() throws {
        let (tree, keys, release) = try make()
        defer { tree.remove() }
        let verified = try keys.verify(release, "--format", "json")
        let answer = try #require(
            try JSONSerialization.jsonObject(with: Data(verified.output.utf8)) as? [String: Any])
        #expect(verified.status == 0 && answer["outcome"] as? String == "verified", "\(verified.errors)")
        #expect(answer["signer"] as? String == "releases" && answer["entries"] as? Int == 7)
        #expect(try tree.run(DeployedTree.deploy, ["--dry-run"]).status == 0)
        let deploy = try tree.json(DeployedTree.deploy)
        #expect(deploy.status == 0 && tree.text("lib/a") == "one" && tree.text("lib/sub/b") == "three")
        let check = try DeployedTree.check("verify the release's signature", of: deploy.object)
        #expect((check["detail"] as? String)?.hasPrefix("signed by 'releases' with the ED25519 key SHA256:") == true)
        _ = try DeployedTree.check("compare what is staged with what was signed", of: deploy.object)
        #expect(try tree.fracas("doctor", "--deployment").output.contains("ok       signatures: are asked for"))
        // Carried elsewhere, with both files, it is the same release.
        for end in ["", ".manifest", ".manifest.sig"] {
            try FileManager.default.copyItem(atPath: release + end, toPath: "\(tree.directory)/carried\(end)")
        }
        #expect(try keys.verify("\(tree.directory)/carried").status == 0)
        // And the way back asks nobody.
        #expect(try tree.run(DeployedTree.rollback, ["latest"]).status == 0 && tree.text("lib/a") == "old")
    }

    /// Each change is told by its name, by the command, by a dry run and by the deployment, which touches nothing.
    @Test func anyChangeIsRefusedByName() throws {
        let (tree, keys, release) = try make()
        defer { tree.remove() }
        try tree.start()
        func refused(_ says: String, change: () throws -> Void, undo: () throws -> Void) throws {
            let before = try (TreeHash.of("\(tree.root)/lib"), tree.process())
            try change()
            let verified = try keys.verify(release)
            #expect(verified.status == 2 && verified.errors.contains(says), "\(says): \(verified.errors)")
            for arguments in [["--dry-run"], []] {
                let deploy = try tree.run(DeployedTree.deploy, arguments)
                #expect(deploy.status == 2 && deploy.text.contains(says), "\(says): \(deploy.text)")
            }
            #expect(try (TreeHash.of("\(tree.root)/lib"), tree.process()) == before)
            #expect(tree.names("backups").isEmpty && !tree.exists("deployment/.journal"))
            try undo()
            #expect(try keys.verify(release).status == 0, "\(says), undone")
        }
        func file(_ name: String, _ text: String?) throws {
            guard let text else { return try FileManager.default.removeItem(atPath: "\(release)/\(name)") }
            try text.write(toFile: "\(release)/\(name)", atomically: false, encoding: .utf8)
        }
        try refused(
            "'lib/a' has other content", change: { try file("lib/a", "0ne") }, undo: { try file("lib/a", "one") })
        try refused("'lib/new' was added", change: { try file("lib/new", "") }, undo: { try file("lib/new", nil) })
        try refused(
            "'lib/__pycache__' was added", change: { mkdir("\(release)/lib/__pycache__", 0o755) },
            undo: { rmdir("\(release)/lib/__pycache__") })
        try refused(
            "'lib/gone' is missing", change: { try file("lib/gone", nil) }, undo: { try file("lib/gone", "four") })
        try refused(
            "'lib/run' has the permissions 644, not 755", change: { chmod("\(release)/lib/run", 0o644) },
            undo: { chmod("\(release)/lib/run", 0o755) })
        try refused(
            "'lib/sub' has the permissions 700, not 755", change: { chmod("\(release)/lib/sub", 0o700) },
            undo: { chmod("\(release)/lib/sub", 0o755) })
        try refused(
            "'lib/link' points at 'run', not at 'a'",
            change: {
                unlink("\(release)/lib/link")
                symlink("run", "\(release)/lib/link")
            },
            undo: {
                unlink("\(release)/lib/link")
                symlink("a", "\(release)/lib/link")
            })
        try refused(
            "'lib/a' is a link, but a file was signed",
            change: {
                try file("lib/a", nil)
                symlink("run", "\(release)/lib/a")
            },
            undo: {
                unlink("\(release)/lib/a")
                try file("lib/a", "one")
            })
        #expect(try tree.run(DeployedTree.deploy).status == 0)
    }

    /// Who signed, when, for what, and which release.
    @Test func whoMayNotSignIsRefused() throws {
        let (tree, keys, release) = try make()
        defer { tree.remove() }
        func refused(_ says: String, _ arguments: [String] = [], _ settings: [String: String] = [:]) throws {
            let deploy = try tree.run(DeployedTree.deploy, arguments, settings)
            #expect(deploy.status == 2 && deploy.text.contains(says), "\(says): \(deploy.text)")
            #expect(tree.text("lib/a") == "old" && tree.names("backups").isEmpty)
        }
        let usual = "releases namespaces=\"fracas-release\""
        try keys.allow("releases namespaces=\"fracas-release\",valid-before=\"20200101\"", keys.key)
        try refused("that key has expired: ")
        try keys.allow("releases namespaces=\"fracas-release\",valid-after=\"20990101\"", keys.key)
        try refused("that key is not valid yet: ")
        try keys.allow("releases namespaces=\"git\"", keys.key)
        try refused("that key may sign other things alone: ")
        try keys.allow(usual, keys.other)
        try refused("nobody in that file has this key: ")
        try keys.allow(usual, keys.key)
        try refused("is revoked by '\(keys.key).pub'", [], ["SIGNATURE_REVOKED_KEYS": "\(keys.key).pub"])
        // A signature of another release, and none.
        try tree.write("releases/older/lib/a", "older")
        try keys.sign("\(tree.root)/releases/older")
        let signature = try String(contentsOfFile: release + ".manifest.sig", encoding: .utf8)
        try tree.write("releases/signed.manifest.sig", tree.text("releases/older.manifest.sig"))
        try refused("that was changed after it was signed, or this is the signature of another release")
        let list = tree.text("releases/signed.manifest")
        try tree.write("releases/signed.manifest", tree.text("releases/older.manifest"))
        try refused("'lib/a' has other content\n")
        try tree.write("releases/signed.manifest", list)
        unlink(release + ".manifest.sig")
        try refused("is not signed: read '\(release).manifest.sig'")
        try tree.write("releases/signed.manifest.sig", "garbage")
        try refused("the signature '\(release).manifest.sig' is none of")
        try tree.write("releases/signed.manifest.sig", signature)
        // Nothing that verifies.
        try FileManager.default.createDirectory(atPath: "\(tree.directory)/bin", withIntermediateDirectories: true)
        for name in ["dirname", "readlink"] { symlink("/usr/bin/\(name)", "\(tree.directory)/bin/\(name)") }
        try refused(
            "signatures of releases need OpenSSH's ssh-keygen -Y check-novalidate: the program 'ssh-keygen' is not there",
            [],
            ["PATH": "\(tree.directory)/bin"])
        let deploy = try tree.run(DeployedTree.deploy)
        #expect(deploy.status == 0 && tree.text("lib/a") == "one", "\(deploy.text)")
    }

    /// Between its verification and its copy somebody changes the release: here when systemd is asked for the service's state, which is
    /// the first thing after the one and before the other.
    @Test func whatIsChangedAfterItWasVerifiedIsNotDeployed() throws {
        let (tree, _, _) = try make()
        defer { tree.remove() }
        let directory = "\(tree.directory)/bin"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try """
        #!/bin/sh
        printf 'LoadState=loaded\nActiveState=inactive\n'
        if grep -q "verify the release's signature" '\(tree.deployment)'/logs/deploy_*.log; then
            echo evil >'\(tree.root)/releases/signed/lib/a'
        fi
        """.write(toFile: "\(directory)/systemctl", atomically: true, encoding: .utf8)
        chmod("\(directory)/systemctl", 0o755)
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let deploy = try tree.run(
            DeployedTree.deploy, [], ["SERVICE_MANAGER": "systemd", "PATH": "\(directory):\(path)"])
        #expect(tree.text("releases/signed/lib/a") == "evil\n", "it was changed, else this shows nothing")
        #expect(deploy.status == 1 && deploy.text.contains("lib/a' was changed while it was copied"), "\(deploy.text)")
        #expect(tree.text("lib/a") == "old")
        let again = try tree.run(DeployedTree.deploy)
        #expect(again.status == 2 && again.text.contains("'lib/a' has other content"), "\(again.text)")
    }

    /// Who may sign is nobody else's to say.
    @Test func theFileOfSignersIsTrustedOnlyWhereNobodyElseWrites() throws {
        let (tree, keys, release) = try make()
        defer { tree.remove() }
        func refused(_ says: String, _ file: String) throws {
            let deploy = try tree.run(DeployedTree.deploy, [], ["SIGNATURE_ALLOWED_SIGNERS": file])
            #expect(deploy.status == 2 && deploy.text.contains(says), "\(says): \(deploy.text)")
        }
        chmod(keys.allowed, 0o664)
        try refused(
            "could be changed by another user: '\(keys.allowed)' has the permissions 664: chmod go-w", keys.allowed)
        #expect(try tree.fracas("doctor", "--deployment").output.contains("FAILED   signatures: the file of allowed"))
        chmod(keys.allowed, 0o644)
        chmod(keys.directory, 0o777)
        try refused("'\(keys.directory)' has the permissions 777", keys.allowed)
        chmod(keys.directory, 0o755)
        if geteuid() == 0 {
            chown(keys.allowed, 65534, 65534)
            try refused("'\(keys.allowed)' belongs to user 65534", keys.allowed)
            chown(keys.allowed, 0, 0)
        }
        // In a release, in the tree where a release would bring it, and by a link.
        for place in ["releases/signed/lib/signers", "lib/signers"] {
            try tree.write(place, try String(contentsOfFile: keys.allowed, encoding: .utf8))
            try refused("where a release could bring its own", "\(tree.root)/\(place)")
        }
        symlink("\(tree.root)/lib/signers", "\(keys.directory)/link")
        try refused("where a release could bring its own", "\(keys.directory)/link")
        unlink("\(release)/lib/signers")
        symlink(keys.allowed, "\(keys.directory)/good")
        let deploy = try tree.run(
            DeployedTree.deploy, [], ["SIGNATURE_ALLOWED_SIGNERS": "\(keys.directory)/good"])
        #expect(deploy.status == 0, "\(deploy.text)")
    }

    /// What cannot be signed is said, and then nothing is written.
    @Test func signing() throws {
        let (tree, keys, release) = try make()
        defer { tree.remove() }
        let before = tree.text("releases/signed.manifest.sig")
        func refused(_ says: String, _ arguments: String...) throws {
            let sign = try Command.run(["release", "sign"] + arguments, in: tree.directory)
            #expect(sign.status == 2 && sign.errors.contains(says), "\(sign.errors)")
            #expect(tree.text("releases/signed.manifest.sig") == before)
        }
        try refused("cannot be read: give a private key", release, "--key", "\(keys.key)-missing")
        try refused("does not sign with", release, "--key", keys.allowed)
        try refused("is not a directory", "\(release)-missing", "--key", keys.key)
        try tree.write("releases/signed/key", try String(contentsOfFile: keys.key, encoding: .utf8))
        chmod("\(release)/key", 0o600)
        try refused("lies in the release, with which it would be deployed", release, "--key", "\(release)/key")
        unlink("\(release)/key")
        mkfifo("\(release)/pipe", 0o600)
        try refused("is a device, socket or pipe", release, "--key", keys.key)
        unlink("\(release)/pipe")
        try keys.sign(release)
        #expect(try keys.verify(release).status == 0)
    }

    /// A file gets a capability after it was signed, whose content and permissions are as ever.
    @Test(
        .enabled(
            if: geteuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/sbin/setcap"),
            "giving a file capabilities needs root and setcap"))
    func aCapabilityIsNotSigned() throws {
        let (tree, keys, release) = try make()
        defer { tree.remove() }
        func capabilities(_ arguments: String...) throws {
            let program = Process()
            program.executableURL = URL(fileURLWithPath: "/usr/sbin/setcap")
            program.arguments = arguments + ["\(release)/lib/run"]
            let (status, text) = try program.runToEnd()
            try #require(status == 0, "\(text)")
        }
        try capabilities("cap_net_bind_service+ep")
        let says = "lib/run' has the extended attribute 'security.capability', which no signature covers"
        #expect(try keys.verify(release).errors.contains(says))
        let deploy = try tree.run(DeployedTree.deploy)
        #expect(deploy.status == 2 && deploy.text.contains(says) && tree.text("lib/a") == "old", "\(deploy.text)")
        try capabilities("-r")
        #expect(try tree.run(DeployedTree.deploy).status == 0)
    }
}
