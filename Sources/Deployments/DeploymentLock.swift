import Glibc
import Platform
import SystemPackage

/// The one lock of a tree: who has it may change the tree. The kernel takes it back when its holder ends, however that comes.
package struct DeploymentLock {
    private let file: Descriptor

    /// Takes it.
    /// - Throws: `DeploymentError` `.busy`, naming who has it.
    package init(_ tree: DeploymentTree, for operation: String) throws(DeploymentError) {
        do { file = try Files.open(tree.lock, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o640) } catch {
            throw DeploymentError(.files, "open the lock '\(tree.lock)': \(error)\(Copying.remedy(error))")
        }
        for attempt in 1...Self.attempts {
            do {
                try Files.lock(file)
                break
            } catch {
                guard error == .wouldBlock else { throw DeploymentError(.files, "lock '\(tree.lock)': \(error)") }
                // Who only asks for the holder has it for an instant.
                guard attempt == Self.attempts else {
                    usleep(10_000)
                    continue
                }
                throw DeploymentError(
                    .busy, "'\(tree.root)' is being changed by \(Self.name(in: file)): wait for its end, then try again"
                )
            }
        }
        // Who has it is said for people only, so a full disk does not matter.
        ftruncate(file.raw, 0)
        lseek(file.raw, 0, SEEK_SET)
        try? file.writeAll(Array("\(operation) (process \(getpid()))".utf8))
    }

    private static let attempts = 5

    private static func name(in file: Descriptor) -> String {
        let text = (try? file.readAll(limit: 200)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.isEmpty ? "another operation" : Text.plain(text)
    }

    /// Who has it; nil when nobody has. Neither makes the file nor writes to it.
    static func holder(_ tree: DeploymentTree) -> String? {
        guard let file = try? Files.open(tree.lock, flags: O_RDONLY | O_NOFOLLOW) else { return nil }
        do {
            try Files.lock(file)
            return nil
        } catch { return error == .wouldBlock ? name(in: file) : nil }
    }
}
