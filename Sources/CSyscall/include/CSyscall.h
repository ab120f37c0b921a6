// No _GNU_SOURCE here: it changes the layout of types that Swift's own view of the C library already has.
// The few system calls and constants Swift cannot spell: variadic functions, macros, and calls newer than the C library.
#ifndef FRACAS_CSYSCALL_H
#define FRACAS_CSYSCALL_H
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <stdlib.h>
#include <unistd.h>

// syscall(2) is variadic and the kernel reads whole registers, so every argument is as wide as one: the upper half of an
// int that is passed on the stack is whatever was there.
#define FRACAS_ARGUMENT(value) ((long)(value))

// What statx(2) says of a path itself: glibc has the structure only under _GNU_SOURCE, and no field for the mount.
struct fracas_facts {
    uint32_t mask, block;
    uint64_t attributes;
    uint32_t links, user, group;
    uint16_t mode, spare;
    uint64_t inode, size, blocks, attributes_known, times[8];
    uint32_t special[2], device[2];
    uint64_t mount, rest[13];
};
static inline int fracas_look(const char *path, struct fracas_facts *into) {
    // AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_MNT_ID.
    return (int)syscall(SYS_statx, FRACAS_ARGUMENT(AT_FDCWD), path, 0x900L, 0x17ffL, into);
}
// What kind of file system a path is on, by its number in statfs(2).
static inline long fracas_file_system(const char *path) {
    struct statfs facts;
    return statfs(path, &facts) < 0 ? -1 : (long)(uint32_t)facts.f_type;
}

static inline int fracas_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, FRACAS_ARGUMENT(pid), 0L); }
static inline int fracas_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, FRACAS_ARGUMENT(pidfd), FRACAS_ARGUMENT(signal), 0L, 0L);
}

// PIDFD_GET_INFO with PIDFD_INFO_EXIT (Linux 6.15): how a process ended, even when its parent has reaped it.
// Answers 1 and the wait(2) status, 0 when the kernel has no answer (yet), -1 with errno.
static inline int fracas_pidfd_exit_status(int pidfd, int *status) {
    struct { uint64_t mask, cgroup; uint32_t ids[11]; int32_t exit_code; } info = {.mask = 1u << 3};
    if (ioctl(pidfd, _IOWR(0xFF, 11, info), &info) < 0) return -1;
    *status = info.exit_code;
    return (info.mask & (1u << 3)) != 0;
}

// A duplicate of another process's descriptor, for what is done to the open file itself, `pidfd_getfd(2)`.
static inline int fracas_pidfd_getfd(int pidfd, int fd) {
    return (int)syscall(SYS_pidfd_getfd, FRACAS_ARGUMENT(pidfd), FRACAS_ARGUMENT(fd), 0L);
}
static inline int fracas_signal_thread(int process, int thread, int signal) {
    return (int)syscall(SYS_tgkill, FRACAS_ARGUMENT(process), FRACAS_ARGUMENT(thread), FRACAS_ARGUMENT(signal));
}
// Bounds a process's descriptors, keeping the hard limit; answers the bound there was, or -1 with errno.
static inline long fracas_limit_descriptors(int pid, long bound) {
    struct rlimit before, after;
    if (syscall(SYS_prlimit64, FRACAS_ARGUMENT(pid), FRACAS_ARGUMENT(RLIMIT_NOFILE), 0L, &before) < 0) return -1;
    after = before;
    after.rlim_cur = (rlim_t)bound;
    return syscall(SYS_prlimit64, FRACAS_ARGUMENT(pid), FRACAS_ARGUMENT(RLIMIT_NOFILE), &after, 0L) < 0 ? -1 : (long)before.rlim_cur;
}

// Where a link points, with its end marked; answers its length. No allocation: this is asked on the hot path.
static inline long fracas_link(const char *path, char *into, size_t length) {
    long n = readlink(path, into, length - 1);
    into[n < 0 ? 0 : n] = 0;
    return n;
}
// What a descriptor of a process is, as /proc names it.
static inline long fracas_descriptor_link(int pid, int fd, char *into, size_t length) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    return fracas_link(path, into, length);
}
// Likewise a link such as cwd, or the first line of a file such as comm.
static inline long fracas_process_link(int pid, const char *name, char *into, size_t length) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    return fracas_link(path, into, length);
}
static inline long fracas_process_line(int pid, const char *name, char *into, size_t length) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    long n = fd < 0 ? -1 : read(fd, into, length - 1);
    if (fd >= 0) close(fd);
    while (n > 0 && into[n - 1] == '\n') n--;
    into[n < 0 ? 0 : n] = 0;
    return n;
}
static inline int fracas_matches(const char *pattern, const char *text) { return fnmatch(pattern, text, 0) == 0; }

static inline long fracas_write_memory(int pid, uint64_t address, const void *from, size_t length) {
    struct iovec mine = {(void *)from, length}, theirs = {(void *)(uintptr_t)address, length};
    return syscall(SYS_process_vm_writev, FRACAS_ARGUMENT(pid), &mine, 1L, &theirs, 1L, 0L);
}
static inline long fracas_read_memory(int pid, uint64_t address, void *into, size_t length) {
    struct iovec mine = {into, length}, theirs = {(void *)(uintptr_t)address, length};
    return syscall(SYS_process_vm_readv, FRACAS_ARGUMENT(pid), &mine, 1L, &theirs, 1L, 0L);
}

// From now on each of these signals writes its number, as one byte, into a descriptor that does not block.
int fracas_catch_signals(const int *numbers, int count, int into);

extern char **environ;
static inline char **fracas_environment(void) { return environ; }
static inline int fracas_memfd(const char *name) { return (int)syscall(SYS_memfd_create, name, 1L /* MFD_CLOEXEC */); }
static inline int fracas_pipe(int *ends) { return (int)syscall(SYS_pipe2, ends, FRACAS_ARGUMENT(O_CLOEXEC)); }
static inline int fracas_open(const char *path, int flags, int mode) { return open(path, flags | O_CLOEXEC, mode); }
static inline int fracas_openat(int at, const char *path, int flags) { return openat(at, path, flags | O_CLOEXEC); }
static inline int fracas_create_at(int at, const char *path) {
    return openat(at, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}
static inline int fracas_set_nonblocking(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }
static inline int fracas_descriptor_flags(int fd) { return fcntl(fd, F_GETFL); }
// The longest time that a thread may ask for at once, EEVDF (Linux 6.12): whoever asks for less and wakes up takes its place.
static inline int fracas_give_way(void) {
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = 48, .flags = 0x01 /* SCHED_FLAG_RESET_ON_FORK */, .runtime = 100000000};
    return (int)syscall(SYS_sched_setattr, 0L, &attributes, 0L);
}
static inline int fracas_reap_with_parent(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
static inline int fracas_seccomp_available(uint32_t action) {
    return (int)syscall(SYS_seccomp, FRACAS_ARGUMENT(SECCOMP_GET_ACTION_AVAIL), 0L, &action);
}

// seccomp_unotify(2). The header of Debian 12 lacks the synchronous wake-up of Linux 6.6, so it is spelt out.
static inline int fracas_notify_sync(int listener) { return ioctl(listener, _IOW('!', 4, uint64_t), 1); }
static inline int fracas_notify_receive(int listener, struct seccomp_notif *into) {
    memset(into, 0, sizeof *into);
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, into);
}
// 0 when every process under the filter has ended; 1 when a call may be there, after waiting for one for at most `wait` ms.
static inline int fracas_notify_wait(int listener, int wait) {
    struct pollfd p = {listener, POLLIN, 0};
    return poll(&p, 1, wait) < 0 || !(p.revents & POLLHUP) || p.revents & POLLIN;
}
static inline int fracas_notify_continue(int listener, uint64_t id) {
    struct seccomp_notif_resp r = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}
static inline int fracas_notify_error(int listener, uint64_t id, int error) {
    struct seccomp_notif_resp r = {.id = id, .error = -error};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}
static inline int fracas_notify_valid(int listener, uint64_t id) {
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id);
}
static inline int fracas_notify_return(int listener, uint64_t id, int64_t value) {
    struct seccomp_notif_resp r = {.id = id, .val = value};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}
// Puts `source` at number `target` in the stopped caller, replacing what is there.
static inline int fracas_notify_set_descriptor(int listener, uint64_t id, int source, int target) {
    struct seccomp_notif_addfd a = {.id = id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = source, .newfd = target};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
}

// The far end of a connected socket as text, 127.0.0.1:80, [::1]:80 or unix:/path; empty when it has none.
void fracas_address_text(const struct sockaddr_storage *address, unsigned length, char *into, size_t size);
void fracas_peer_text(int socket, char *into, size_t size);
static inline int fracas_is_ready(int fd, int forWriting) {
    struct pollfd p = {fd, forWriting ? POLLOUT : POLLIN, 0};
    return poll(&p, 1, 0) > 0;
}
// Connecting to nowhere ends a TCP connection at once, with a reset to the far end.
static inline int fracas_disconnect(int socket) {
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    return connect(socket, &nowhere, sizeof nowhere);
}
static inline int fracas_is_socket(int fd) {
    struct stat s;
    return fstat(fd, &s) == 0 && S_ISSOCK(s.st_mode);
}
static inline int fracas_socket_family(int socket) {
    int family = -1;
    socklen_t length = sizeof family;
    return getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &length) < 0 ? -1 : family;
}

// Whether receiving or sending on a socket gives up after a time, SO_RCVTIMEO and SO_SNDTIMEO of socket(7).
static inline int fracas_has_time_limit(int socket) {
    static const int options[] = {SO_RCVTIMEO, SO_SNDTIMEO};
    for (int i = 0; i < 2; i++) {
        struct timeval limit = {0};
        socklen_t length = sizeof limit;
        if (getsockopt(socket, SOL_SOCKET, options[i], &limit, &length) < 0 || limit.tv_sec || limit.tv_usec) return 1;
    }
    return 0;
}
static inline int fracas_is_listening(int socket) {
    int listens = 0;
    socklen_t length = sizeof listens;
    return getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens;
}
// Who can reach a socket of the Unix family, unix(7): 0 whoever knows its path, 1 nobody outside of its network, as it listens without a
// path, 2 what it is connected with.
int fracas_unix_reach(int socket);
// Whether nobody has the other end of a pipe open any more.
static inline int fracas_has_hung_up(int fd) {
    struct pollfd p = {fd, 0, 0};
    return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}
// Whether a descriptor of one process is the same open file as one of another, kcmp(2): 1, 0, or -1 when that is not known.
static inline int fracas_is_same_file(int pid, int fd, int other, int other_fd) {
    long order = syscall(SYS_kcmp, FRACAS_ARGUMENT(pid), FRACAS_ARGUMENT(other), 0L, FRACAS_ARGUMENT(fd), FRACAS_ARGUMENT(other_fd));
    return order < 0 ? -1 : order == 0;
}
// Whether two threads have the same descriptors, kcmp(2): 1, 0, or -1 when that is not known.
static inline int fracas_shares_files(int thread, int other) {
    long order = syscall(SYS_kcmp, FRACAS_ARGUMENT(thread), FRACAS_ARGUMENT(other), 2L /* KCMP_FILES */, 0L, 0L);
    return order < 0 ? -1 : order == 0;
}
// Likewise of a descriptor, as what an epoll of another watches: the nth of its entries that had the number `watched`.
static inline int fracas_is_watched_file(int pid, int fd, int other, int epoll, int watched, int nth) {
    uint32_t slot[3] = {(uint32_t)epoll, (uint32_t)watched, (uint32_t)nth};
    long order = syscall(SYS_kcmp, FRACAS_ARGUMENT(pid), FRACAS_ARGUMENT(other), 7L /* KCMP_EPOLL_TFD */, FRACAS_ARGUMENT(fd), slot);
    return order < 0 ? -1 : order == 0;
}
// Who made the other end of a connected socket of the Unix family, in our own pid namespace, SO_PEERCRED of unix(7); 0 for none.
static inline int fracas_peer_process(int socket) {
    struct { int pid; unsigned user, group; } peer = {0, 0, 0};
    socklen_t length = sizeof peer;
    return getsockopt(socket, SOL_SOCKET, 17 /* SO_PEERCRED */, &peer, &length) < 0 ? 0 : peer.pid;
}
// Whether a TCP socket listens, or is connected with nothing of its own on the way, TCP_INFO of tcp(7), and the kernel hands nothing
// over, and gives nothing up, by time: TCP_DEFER_ACCEPT, TCP_USER_TIMEOUT.
int fracas_tcp_is_settled(int socket);
// Whether the far end of a TCP connection has said that it sends no more.
int fracas_tcp_is_half_closed(int socket);

// A descriptor that becomes readable anew whenever a child of this process, or a thread it traces, changes; -1 with errno.
int fracas_watch_children(void);

// One message on a SOCK_SEQPACKET socket, with descriptors.
static inline long fracas_send(int socket, const void *bytes, size_t length, const int *fds, int count) {
    char control[CMSG_SPACE(5 * sizeof(int))];
    struct iovec part = {(void *)bytes, length};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
    memset(control, 0, sizeof control);
    if (count > 0) {
        h.msg_control = control;
        h.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    return sendmsg(socket, &h, MSG_NOSIGNAL);
}
// `sender` is who sent it, in our own pid namespace, where fracas_name_senders was called before; the kernel says so. Else 0.
static inline int fracas_name_senders(int socket) {
    int yes = 1;
    return setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
}
static inline long fracas_receive(int socket, void *into, size_t length, int *fds, int *count, int *sender) {
    struct { int pid; unsigned user, group; } credentials; // struct ucred, which hides without _GNU_SOURCE
    char control[CMSG_SPACE(4 * sizeof(int)) + CMSG_SPACE(sizeof credentials)];
    struct iovec part = {into, length};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    long n = recvmsg(socket, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    *count = *sender = 0;
    for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : 0; c; c = CMSG_NXTHDR(&h, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            *count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(fds, CMSG_DATA(c), *count * sizeof(int));
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == 2 /* SCM_CREDENTIALS */) {
            memcpy(&credentials, CMSG_DATA(c), sizeof credentials);
            *sender = credentials.pid;
        }
    }
    return n;
}

#include "tracing.h"
#include "files.h"
#include "trees.h"

// What fracas-launch says; the same layout as its launch.h.
struct fracas_message { char kind; uint32_t id; int32_t pid; int32_t status; int32_t exec_errno; char text[64]; };
struct fracas_request { uint32_t id; uint32_t payload_bytes; uint32_t warm; };
#endif
