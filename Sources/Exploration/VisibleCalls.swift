import Scenarios

/// The system calls by which processes act on each other.
public enum VisibleCalls {
    /// Calls with an effect that another process, or whoever looks at files, could notice.
    public static let effects = [
        "accept", "accept4", "bind", "clone", "clone3", "close", "close_range", "connect", "creat", "dup", "dup2",
        "dup3", "execve", "execveat", "exit_group", "fdatasync", "fork", "fsync", "ftruncate", "kill", "link", "linkat",
        "listen", "mkdir", "mkdirat", "open", "openat", "pidfd_send_signal", "pipe", "pipe2", "pread64", "preadv",
        "prctl", "pwrite64", "pwritev", "read", "readv", "recvfrom", "recvmmsg", "recvmsg", "rename", "renameat",
        "renameat2", "rmdir", "rt_sigaction", "rt_sigprocmask", "sendfile", "sendmmsg", "sendmsg", "sendto", "setpgid",
        "setsid", "shutdown", "socket", "socketpair", "splice", "symlink", "symlinkat", "tgkill", "tkill", "truncate",
        "unlink", "unlinkat", "vfork", "wait4", "waitid", "write", "writev",
    ]

    /// Calls that only look, by which a process notices what others do: nothing is different for anyone else when a process ends
    /// before one, but much when it comes to it too late.
    public static let observations = [
        "access", "epoll_pwait", "epoll_wait", "faccessat", "faccessat2", "flock", "getdents64", "lstat", "newfstatat",
        "pidfd_open", "poll", "ppoll", "pselect6", "rt_sigtimedwait", "select", "stat", "statx",
    ]

    /// Both.
    public static let all = (effects + observations).sorted()

    /// Calls with an effect that outlives the call and the process: what matters of a start.
    static let lasting = [
        "clone", "clone3", "execve", "fork", "kill", "link", "linkat", "mkdir", "mkdirat", "pidfd_send_signal", "pipe",
        "pipe2", "prctl", "rename", "renameat", "renameat2", "rmdir", "rt_sigaction", "rt_sigprocmask", "sendto",
        "setpgid", "setsid", "socketpair", "symlink", "symlinkat", "unlink", "unlinkat", "vfork", "write", "writev",
    ]

    /// Calls that decide which signals come and what they do: what a request finds depends on whether it comes before or after them.
    static let signals: Set<String> = ["prctl", "rt_sigaction", "rt_sigprocmask"]

    /// Calls by which a process begins.
    static let births: Set<String> = ["clone", "clone3", "fork", "vfork"]

    /// Whether a call can turn out to change nothing, as one on a descriptor that is not open does.
    static func mayBeIdle(_ call: String) -> Bool {
        signals.contains(call) || call == "close_range" || SystemCalls.call(call)?.descriptor != nil
    }

    /// Calls that change a file, or which files there are.
    static let changingFiles: Set<String> = [
        "creat", "fdatasync", "fsync", "ftruncate", "link", "linkat", "mkdir", "mkdirat", "pwrite64", "pwritev",
        "rename", "renameat", "renameat2", "rmdir", "sendfile", "symlink", "symlinkat", "truncate", "unlink",
        "unlinkat", "write", "writev",
    ]

    /// Calls by which processes begin, end, and hear of it.
    static let lives: Set<String> = [
        "clone", "clone3", "execve", "exit_group", "fork", "kill", "pidfd_send_signal", "setpgid", "setsid", "vfork",
        "wait4", "waitid",
    ]

    /// Calls that wait for somebody else: when they are held until another call has come, that one's entry must be enough.
    static let waiting: Set<String> = [
        "accept", "accept4", "connect", "epoll_pwait", "epoll_wait", "flock", "poll", "ppoll", "pselect6", "read",
        "readv", "recvfrom", "recvmmsg", "recvmsg", "rt_sigtimedwait", "select", "wait4", "waitid",
    ]
}
