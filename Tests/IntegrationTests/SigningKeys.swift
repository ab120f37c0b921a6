import Foundation
import Testing

/// Two keys, and a file that allows the first of them to sign releases.
struct SigningKeys {
    /// Whether the tests that need them can run.
    static let isThere = ["/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen"].contains {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    let directory: String
    /// Private keys: of who may sign, and of somebody else.
    let key: String
    let other: String
    let allowed: String

    init(in parent: String) throws {
        directory = "\(parent)/keys"
        (key, other, allowed) = ("\(directory)/release", "\(directory)/other", "\(directory)/allowed_signers")
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for path in [key, other] {
            let program = Process()
            program.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            program.arguments = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path]
            let (status, text) = try program.runToEnd()
            try #require(status == 0, "\(text)")
        }
        try allow("releases namespaces=\"fracas-release\"", key)
    }

    /// Makes the file one of this signer alone.
    func allow(_ options: String, _ key: String) throws {
        let words = try String(contentsOfFile: key + ".pub", encoding: .utf8).split(separator: " ").prefix(2)
        try "\(options) \(words.joined(separator: " "))\n".write(toFile: allowed, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: allowed)
    }

    func sign(_ release: String, with key: String? = nil) throws {
        let sign = try Command.run(["release", "sign", release, "--key", key ?? self.key], in: directory)
        try #require(sign.status == 0, "\(sign.errors)")
    }

    func verify(_ release: String, _ arguments: String...) throws -> Command {
        try Command.run(
            ["release", "verify", release, "--allowed-signers", allowed] + arguments, in: directory)
    }
}
