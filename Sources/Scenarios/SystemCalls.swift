// What Fracas knows of each system call of x86-64, in one table at the end of this file.
//
// A row of the table is a set of classes, as strace(1) has them, and the calls that are in exactly those. A call is its
// name, then perhaps a colon and marks with commas between them. A number in a mark is an argument's place, from 0:
//
//     d0     the call works on the descriptor in argument 0
//     w0     the same, and what it does is write to it
//     p1     argument 1 is a path
//     p0/1   argument 1 is a path, looked up from the directory whose descriptor is in argument 0
//     n2     argument 2 is a number of bytes, and the call may transfer fewer
//     v2     argument 2 is a number of buffers, and the call may transfer fewer bytes than they hold
//     a1     argument 1 points at a socket address that the call is given
//     x      the call, when it succeeds, does not return to its caller
//
// Marks are for what holds whatever the other arguments are. So fsconfig has no path (only some of its commands take
// one), nor has getcwd (it fills its buffer); poll, select and close_range have no descriptor (they take many). The
// text of a symbolic link is not a path. Calls that fail or cut the answer short when the number is small have no n:
// getdents64, readlink, mq_timedreceive.

/// A class of system calls, named as strace(1) names it: `%file`.
public enum CallClass: String, Sendable, CaseIterable {
    /// Calls that take a file's name.
    case file
    /// Calls that take or make a descriptor. Most calls on sockets are in `network` only.
    case descriptor = "desc"
    /// Calls on sockets.
    case network
    /// Calls that start, signal, wait for or end a process.
    case process
    /// The queues, semaphores and shared memory of System V.
    case ipc
    /// Calls that send, await or arrange for signals.
    case signal
    /// Calls that change or inspect the address space.
    case memory
}

/// What is known of one system call: which of its arguments mean what.
public struct SystemCall: Sendable {
    /// An argument that is a path.
    public struct PathArgument: Sendable, Equatable {
        /// The argument with the descriptor of the directory that a relative path starts from; nil when there is none.
        public let directory: Int?
        /// The argument that points at the path.
        public let path: Int
    }

    /// The call's name, as in `syscalls(2)`.
    public let name: String
    /// The classes that the call is in, in the order of `CallClass.allCases`.
    public let classes: [CallClass]
    /// The argument that is a descriptor the call works on, the first if there are two; nil when it takes none.
    /// The descriptor of a directory that a path starts from is in `paths`.
    public let descriptor: Int?
    /// The arguments that are paths, the one that the call is about first.
    public let paths: [PathArgument]
    /// The argument with the number of bytes to transfer, for calls that may transfer fewer; nil for others.
    /// Some uses never do: a datagram and the counter of an eventfd are transferred whole, as are the first 256 bytes
    /// of getrandom.
    public let length: Int?
    /// The argument with the number of buffers, for vector calls: fewer buffers is fewer bytes; nil for others.
    public let vectorCount: Int?
    /// The argument that points at the socket address that the call is given; nil for others.
    public let address: Int?
    /// Whether the call writes to its `descriptor`.
    public let isWrite: Bool
    /// Whether the call returns to its caller when it succeeds.
    public let returns: Bool
}

extension SystemCall {
    /// One call of the table, in the notation at the top of this file.
    fileprivate init(entry: Substring, classes: [CallClass]) {
        let name = entry.prefix { $0 != ":" }
        var (descriptor, length, vectorCount, address): (Int?, Int?, Int?, Int?)
        var paths: [PathArgument] = []
        var (isWrite, returns) = (false, true)
        for mark in entry.dropFirst(name.count + 1).split(separator: ",") {
            let arguments = mark.dropFirst().split(separator: "/").map { Int($0) ?? -1 }
            precondition(arguments.allSatisfy((0...5).contains), "\(entry): '\(mark)' names no argument")
            switch (mark.first, arguments.count) {
            case ("d", 1): descriptor = arguments[0]
            case ("w", 1): (descriptor, isWrite) = (arguments[0], true)
            case ("p", 1): paths.append(PathArgument(directory: nil, path: arguments[0]))
            case ("p", 2): paths.append(PathArgument(directory: arguments[0], path: arguments[1]))
            case ("n", 1): length = arguments[0]
            case ("v", 1): vectorCount = arguments[0]
            case ("a", 1): address = arguments[0]
            case ("x", 0): returns = false
            default: preconditionFailure("\(entry): '\(mark)' is not a mark")
            }
        }
        self.init(
            name: String(name), classes: classes, descriptor: descriptor, paths: paths, length: length,
            vectorCount: vectorCount, address: address, isWrite: isWrite, returns: returns)
    }
}

/// The system calls of x86-64.
public enum SystemCalls {
    /// What is known of the call with this name; nil when there is none.
    public static func call(_ name: String) -> SystemCall? { calls[name] }

    /// The names of all calls, sorted.
    public static let names: [String] = calls.keys.sorted()

    /// The names in a class, sorted.
    public static func names(in group: CallClass) -> [String] {
        names.filter { calls[$0]?.classes.contains(group) ?? false }
    }

    /// The calls that may wait, and that a signal with a handler then ends with `EINTR`: the list of `signal(7)`, "Interruption of
    /// system calls and library functions by signal handlers", and what waits in the same way. Of a file on a disk none of them
    /// waits; no other call ends so.
    public static let interruptible = [
        "accept", "accept4", "clock_nanosleep", "connect", "epoll_pwait", "epoll_pwait2", "epoll_wait", "fcntl",
        "flock",
        "futex", "futex_waitv", "getrandom", "io_getevents", "io_pgetevents", "io_uring_enter", "mq_timedreceive",
        "mq_timedsend", "msgrcv", "msgsnd", "nanosleep", "pause", "poll", "ppoll", "preadv2", "pselect6", "pwritev2",
        "read",
        "readv", "recvfrom", "recvmmsg", "recvmsg", "rt_sigsuspend", "rt_sigtimedwait", "select", "semop", "semtimedop",
        "sendfile", "sendmmsg", "sendmsg", "sendto", "splice", "tee", "vmsplice", "wait4", "waitid", "write", "writev",
    ]

    private static let calls: [String: SystemCall] = {
        let all = table.flatMap { row in
            row.calls.split(whereSeparator: \.isWhitespace).map { SystemCall(entry: $0, classes: row.classes) }
        }
        return Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
    }()

    private static let table: [(classes: [CallClass], calls: String)] = [
        (
            [.file],
            """
            access:p0 acct:p0 chdir:p0 chmod:p0 chown:p0 chroot:p0 getcwd getxattr:p0 lchown:p0 lgetxattr:p0 link:p0,p1
            listxattr:p0 llistxattr:p0 lremovexattr:p0 lsetxattr:p0 lstat:p0 mkdir:p0 mknod:p0 mount:p1,p0
            pivot_root:p0,p1 quotactl:p1 readlink:p0 removexattr:p0 rename:p0,p1 rmdir:p0 setxattr:p0 stat:p0 statfs:p0
            swapoff:p0 swapon:p0 symlink:p1 truncate:p0 umount2:p0 unlink:p0 uselib:p0 utime:p0 utimes:p0
            """
        ),
        (
            [.file, .descriptor],
            """
            creat:p0 faccessat:p0/1 faccessat2:p0/1 fanotify_mark:d0,p3/4 fchmodat:p0/1 fchownat:p0/1 fsconfig:d0
            fspick:p0/1 futimesat:p0/1 inotify_add_watch:d0,p1 linkat:p0/1,p2/3 mkdirat:p0/1 mknodat:p0/1
            mount_setattr:p0/1 move_mount:p0/1,p2/3 name_to_handle_at:p0/1 newfstatat:p0/1 open:p0 open_tree:p0/1
            openat:p0/1 openat2:p0/1 readlinkat:p0/1 renameat:p0/1,p2/3 renameat2:p0/1,p2/3 statx:p0/1 symlinkat:p1/2
            unlinkat:p0/1 utimensat:p0/1
            """
        ),
        ([.file, .process], "execve:p0,x"),
        ([.file, .descriptor, .process], "execveat:p0/1,x"),
        (
            [.descriptor],
            """
            bpf close:d0 copy_file_range:d0,n4 dup:d0 dup2:d0 dup3:d0 epoll_create epoll_create1 epoll_ctl:d0
            epoll_pwait:d0 epoll_pwait2:d0 epoll_wait:d0 eventfd eventfd2 fadvise64:d0 fallocate:d0 fanotify_init
            fchdir:d0 fchmod:d0 fchown:d0 fcntl:d0 fdatasync:d0 fgetxattr:d0 finit_module:d0 flistxattr:d0 flock:d0
            fremovexattr:d0 fsetxattr:d0 fsmount:d0 fsopen fstat:d0 fstatfs:d0 fsync:d0 ftruncate:d0 getdents:d0
            getdents64:d0 inotify_init inotify_init1 inotify_rm_watch:d0 io_uring_setup ioctl:d0 kexec_file_load:d0
            landlock_add_rule:d0 landlock_create_ruleset landlock_restrict_self:d0 lseek:d0 memfd_create memfd_secret
            mq_getsetattr:d0 mq_notify:d0 mq_open mq_timedreceive:d0 mq_timedsend:w0 open_by_handle_at:d0
            perf_event_open:d3 pidfd_getfd:d0 pidfd_open pipe pipe2 poll ppoll pread64:d0,n2 preadv:d0,v2 preadv2:d0,v2
            process_madvise:d0 process_mrelease:d0 pselect6 pwrite64:w0,n2 pwritev:w0,v2 pwritev2:w0,v2 quotactl_fd:d0
            read:d0,n2 readahead:d0 readv:d0,v2 select setns:d0 splice:d0,n4 sync_file_range:d0 syncfs:d0 tee:d0,n2
            timerfd_create timerfd_gettime:d0 timerfd_settime:d0 userfaultfd vmsplice:w0,v2 write:w0,n2 writev:w0,v2
            """
        ),
        ([.descriptor, .network], "sendfile:w0,n3"),
        (
            [.network],
            """
            accept:d0 accept4:d0 bind:d0,a1 connect:d0,a1 getpeername:d0 getpmsg:d0 getsockname:d0 getsockopt:d0
            listen:d0 putpmsg:w0 recvfrom:d0,n2 recvmmsg:d0 recvmsg:d0 sendmmsg:w0 sendmsg:w0 sendto:w0,n2,a4
            setsockopt:d0 shutdown:d0 socket socketpair
            """
        ),
        ([.process], "clone clone3 exit:x exit_group:x fork vfork wait4 waitid"),
        ([.process, .signal], "kill rt_sigqueueinfo rt_tgsigqueueinfo tgkill tkill"),
        ([.descriptor, .process, .signal], "pidfd_send_signal:d0"),
        (
            [.signal],
            """
            pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn:x rt_sigsuspend rt_sigtimedwait sigaltstack
            """
        ),
        ([.descriptor, .signal], "io_uring_enter:d0 signalfd:d0 signalfd4:d0"),
        ([.ipc], "msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmctl shmget"),
        ([.ipc, .memory], "shmat shmdt"),
        (
            [.memory],
            """
            brk get_mempolicy io_destroy io_setup madvise mbind migrate_pages mincore mlock mlock2 mlockall move_pages
            mprotect mremap msync munlock munlockall munmap pkey_mprotect remap_file_pages set_mempolicy
            set_mempolicy_home_node
            """
        ),
        ([.descriptor, .memory], "io_uring_register:d0 mmap:d4"),
        (
            [],
            """
            _sysctl add_key adjtimex afs_syscall alarm arch_prctl capget capset clock_adjtime clock_getres clock_gettime
            clock_nanosleep clock_settime close_range create_module delete_module epoll_ctl_old epoll_wait_old futex
            futex_waitv get_kernel_syms get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups
            getitimer getpgid getpgrp getpid getppid getpriority getrandom:n1 getresgid getresuid getrlimit getrusage
            getsid gettid gettimeofday getuid init_module io_cancel io_getevents io_pgetevents io_submit ioperm iopl
            ioprio_get ioprio_set kcmp kexec_load keyctl lookup_dcookie membarrier modify_ldt mq_unlink nanosleep
            nfsservctl personality pkey_alloc pkey_free prctl prlimit64 process_vm_readv process_vm_writev ptrace
            query_module reboot request_key restart_syscall rseq sched_get_priority_max sched_get_priority_min
            sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity
            sched_setattr sched_setparam sched_setscheduler sched_yield seccomp security set_robust_list set_thread_area
            set_tid_address setdomainname setfsgid setfsuid setgid setgroups sethostname setitimer setpgid setpriority
            setregid setresgid setresuid setreuid setrlimit setsid settimeofday setuid sync sysfs sysinfo syslog time
            timer_create timer_delete timer_getoverrun timer_gettime timer_settime times tuxcall umask uname unshare
            ustat vhangup vserver
            """
        ),
    ]
}
