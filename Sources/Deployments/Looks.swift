import Glibc
package import Platform
import Synchronization

/// What files were when they were last read, by what `lstat(2)` said of them then: a file of which it says the same is not read again.
///
/// Every change of a file gives it a new time of change, but for one that comes in the same tick of the clock as the one before: so
/// what had changed just before it was read is not remembered. On a file system that counts in seconds nothing is. What a process
/// writes through a mapping has its time from the first write since the page was last on the disk.
package final class Looks: Sendable {
    /// What was read.
    package struct Look: Sendable {
        var sha256: String
        var attributes: [String: String]?

        package init(sha256: String, attributes: [String: String]?) {
            (self.sha256, self.attributes) = (sha256, attributes)
        }
    }

    package static let shared = Looks()

    /// Longer than any tick of the kernel's clock.
    package static let tick: Int64 = 20_000_000
    private let known = Mutex<[FileStatus: Look]>([:])

    package init() {}

    /// What a file is, when nothing has changed it since it was read.
    package func known(_ status: FileStatus) -> Look? { known.withLock { $0[status] } }

    /// Remembers what a file is.
    /// - Parameter time: when `lstat(2)` was asked, nanoseconds since 1970.
    package func remember(_ status: FileStatus, _ look: Look, asked time: Int64) {
        guard status.changed < time - Self.tick, status.changed % 1_000_000_000 != 0 else { return }
        known.withLock { if $0.count < 1 << 20 { $0[status] = look } }
    }

    /// What is mapped and was written, and is not on the disk yet, could be written again without a new time of change: so before the
    /// first look at a tree it is brought to the disk. Where that fails, what is copied later is not reported as being there either.
    static func begin(_ root: String) { try? Files.open(root, flags: O_RDONLY | O_DIRECTORY).syncFileSystem() }

    /// The time now, nanoseconds since 1970.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
