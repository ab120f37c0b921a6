import CSyscall
import Glibc
public import SystemPackage

/// Which open files of processes are one and the same: descriptors only have numbers, which come to mean other files.
public enum FileIdentity {
    /// Whether two descriptors are the same open file, `kcmp(2)`; nil when that is not known.
    public static func isSame(_ number: Int32, of pid: Int32, as other: Int32, of otherPid: Int32) -> Bool? {
        known(fracas_is_same_file(pid, number, otherPid, other))
    }

    /// Whether a descriptor is what an epoll watches by the number `watched`, as the `nth` of its entries with that number.
    public static func isSame(
        _ number: Int32, of pid: Int32, asWatched watched: Int32, nth: Int, by epoll: Int32, of otherPid: Int32
    ) -> Bool? {
        known(fracas_is_watched_file(pid, number, otherPid, epoll, watched, Int32(nth)))
    }

    /// Whether two threads have the same descriptors; nil when that is not known.
    public static func haveSameDescriptors(_ thread: Int32, _ other: Int32) -> Bool? {
        known(fracas_shares_files(thread, other))
    }

    private static func known(_ answer: Int32) -> Bool? { answer < 0 ? nil : answer == 1 }
}

/// Signals to all processes of a group, as a terminal sends them.
public enum ProcessGroup {
    /// The group of a process, in our own pid namespace.
    public static func of(_ pid: Int32) -> Int32? {
        let group = getpgid(pid)
        return group > 1 && group != getpgrp() ? group : nil
    }

    /// Sends a signal to every process of a group at once, `kill(2)`.
    public static func send(_ signal: Int32, to group: Int32) throws(Errno) { try check(kill(-group, signal)) }
}
