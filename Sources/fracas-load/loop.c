// fracas-load loop and allow: the least that interception can cost, for the gate to be compared with.
#include "load.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) // Linux 5.19
#endif
#define SET_FLAGS _IOW('!', 4, uint64_t) // SECCOMP_IOCTL_NOTIF_SET_FLAGS, Linux 6.6
#define SYNC_WAKE_UP 1UL                 // SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, action)

static volatile int listener = -1;

static int load_filter(struct sock_filter *program, size_t bytes, unsigned long flags) {
    struct sock_fprog filter = {bytes / sizeof *program, program};
    for (;;) {
        int result = syscall(SYS_seccomp, (long)SECCOMP_SET_MODE_FILTER, (long)flags, &filter);
        if (result >= 0) return result;
        if (errno == EINVAL && flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
            flags &= ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        else if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            return -1; // EACCES: without CAP_SYS_ADMIN the kernel wants no_new_privs first
    }
}

int allow(const struct options *o) {
    struct sock_filter program[] = {
        LOAD(nr), SKIP_UNLESS(SYS_getppid, 3), LOAD(args[0]), SKIP_UNLESS(0x46524143, 1), // never so, but one must look
        ANSWER(SECCOMP_RET_ERRNO | EPERM), ANSWER(SECCOMP_RET_ALLOW),
    };
    if (load_filter(program, sizeof program, 0) < 0) return fail("loading the filter");
    return measure_and_report(o->count);
}

static int child(int socket, long count) {
    struct sock_filter program[] = {
        LOAD(nr), SKIP_UNLESS(SYS_getppid, 1), ANSWER(SECCOMP_RET_USER_NOTIF), ANSWER(SECCOMP_RET_ALLOW),
    };
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    int fd = load_filter(program, sizeof program, flags);
    if (fd < 0) return fail("loading the filter");
    if (write(socket, &fd, sizeof fd) != sizeof fd || !read_byte(socket)) return 1;
    close(fd); // the parent's is the last: when that ends, calls fail instead of waiting for ever
    return measure_and_report(count);
}

// Ends a receive that waits, with EINTR, and if there is none yet the next one, with EBADF.
static void on_child_end(int signal) {
    int saved = errno;
    (void)signal;
    close(listener);
    errno = saved;
}

static int serve(int epoll) {
    struct seccomp_notif notification;
    struct seccomp_notif_resp response = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    struct epoll_event event;
    for (;;) {
        if (epoll >= 0) {
            if (TEMP_FAILURE_RETRY(epoll_wait(epoll, &event, 1, -1)) < 0) return fail("epoll_wait");
            if (event.data.fd != listener) return 0; // the child has ended
        }
        memset(&notification, 0, sizeof notification);
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification)) {
            if (errno == EBADF) return 0;
            if (errno != EINTR && errno != ENOENT) return fail("receiving a call");
            continue;
        }
        response.id = notification.id;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) && errno != ENOENT && errno != EBADF)
            return fail("answering a call");
    }
}

static int take_and_serve(pid_t pid, int socket, int with_epoll) {
    struct sigaction action = {.sa_handler = on_child_end, .sa_flags = SA_NOCLDSTOP};
    int number, epoll = -1, pidfd = syscall(SYS_pidfd_open, (long)pid, 0L);
    if (read(socket, &number, sizeof number) != sizeof number) return 1; // the child has said why
    if (pidfd < 0 || (listener = syscall(SYS_pidfd_getfd, (long)pidfd, (long)number, 0L)) < 0)
        return fail("taking the listener");
    ioctl(listener, SET_FLAGS, SYNC_WAKE_UP); // without it, in older kernels, all is slower, nothing else
    struct epoll_event on_end = {.events = EPOLLIN, .data.fd = pidfd}, on_call = {.events = EPOLLIN, .data.fd = listener};
    if (with_epoll && ((epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, pidfd, &on_end) ||
                       epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &on_call)))
        return fail("epoll");
    sigaction(SIGCHLD, &action, 0);
    if (send(socket, "", 1, MSG_NOSIGNAL) != 1) return fail("starting the child"); // so it was alive after sigaction
    return serve(epoll);
}

int loop(const struct options *o) {
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets)) return fail("socketpair");
    pid_t pid = fork();
    if (pid < 0) return fail("fork");
    close(sockets[pid == 0 ? 0 : 1]);
    if (pid == 0) return child(sockets[1], o->count);
    int failed = take_and_serve(pid, sockets[0], o->epoll);
    close(listener), close(sockets[0]); // should serving have failed, the child must not wait for it
    if (reap(pid)) failed = 1, fputs("fracas-load: the child did not finish\n", stderr);
    return failed;
}
