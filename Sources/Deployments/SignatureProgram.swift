import Glibc
import Platform

/// OpenSSH's `ssh-keygen -Y`, which does all the cryptography: what it is given lies in memory, so that what was read once is what is
/// judged, whoever changes files meanwhile.
enum SignatureProgram {
    /// What every signature of a release is for: a signature of a mail or a commit by the same key is none of a release.
    static let namespace = "fracas-release"
    private static let patience: Int64 = 60_000_000_000

    /// A text in memory, as a path for another program.
    struct Sheet {
        let file: Descriptor
        /// As messages name it.
        let name: String
        var path: String { "/proc/\(getpid())/fd/\(file.raw)" }

        init(_ name: String, _ bytes: [UInt8]) throws(DeploymentError) {
            self.name = name
            do { file = try Descriptor.memory("fracas-signature", holding: bytes) } catch {
                throw DeploymentError(.files, "hold '\(name)' in memory: \(error)")
            }
        }
    }

    /// - Throws: `DeploymentError` when it is not installed.
    static func require(_ verb: String) throws(DeploymentError) {
        do { _ = try CommandRunner.program(["ssh-keygen"], in: "/") } catch {
            throw DeploymentError(
                .environment,
                "signatures of releases need OpenSSH's ssh-keygen -Y \(verb): \(error); install openssh-client, 8.2 or later"
            )
        }
    }

    /// Runs it.
    /// - Parameter sheets: what it may name in what it says.
    static func run(
        _ verb: String, _ arguments: [String], input: Sheet, naming sheets: [Sheet] = []
    ) throws(DeploymentError)
        -> CommandRunner.Result
    {
        try require(verb)
        let command = ["ssh-keygen", "-Y", verb] + arguments
        var result = try CommandRunner.run(
            command, in: "/", input: input.file, deadline: Clock.now() + patience)
        for sheet in sheets { result.output = result.output.replacing(sheet.path, with: sheet.name) }
        if result.output.contains("unknown option") || result.output.contains("Unsupported operation") {
            throw DeploymentError(
                .environment, "this ssh-keygen has no '-Y \(verb)': \(result.says); install OpenSSH 8.2 or later")
        }
        return result
    }
}
