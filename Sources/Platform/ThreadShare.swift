import CSyscall
import Glibc

/// What a thread gets of the processors, `/proc/<pid>/task/<thread>/schedstat`.
public struct ThreadShare: Sendable {
    private let path: String

    /// The calling thread's; nil where `/proc` does not tell.
    public static var own: ThreadShare? {
        ProcFile.link("/proc/thread-self").map { ThreadShare(path: "/proc/\($0)/schedstat") }
    }

    /// Has the calling thread give way to any that wakes up while it runs, `sched_setattr(2)`; the processes that it makes do not. A kernel
    /// before Linux 6.12 lets it finish its turn all the same.
    public static func giveWay() { _ = fracas_give_way() }

    /// How long it was ready to run and had no processor, in nanoseconds since it began; 0 when it is gone, or the host does not tell.
    public func waited() -> Int64 {
        let fields = (ProcFile.text(path) ?? "").split(separator: " ")
        return fields.count > 1 ? Int64(fields[1]) ?? 0 : 0
    }

    /// The longest that any thread of a process has waited so; of the first threads, where it has very many.
    public static func longestWait(ofProcess pid: Int32) -> Int64 {
        ProcFile.numbers("/proc/\(pid)/task").prefix(64).reduce(0) {
            max($0, ThreadShare(path: "/proc/\(pid)/task/\($1)/schedstat").waited())
        }
    }
}

extension Clock {
    /// How long the machine has slept since it started, in nanoseconds: what the monotonic clock leaves out.
    public static func slept() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec) - now()
    }
}
