// Between fork and exec: streams, directory, signals, the filter, exec. Once the filter is on, not one system call is
// made before execve(2), whatever the plan intercepts: the listener's number is left in shared memory for init to take.
#define _GNU_SOURCE
#include "launch.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) // Linux 5.19
#endif

static int load_filter(int program_fd) {
    static struct sock_filter program[BPF_MAXINSNS];
    ssize_t bytes = pread(program_fd, program, sizeof program, 0);
    struct sock_fprog filter = {bytes / sizeof program[0], program};
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    close(program_fd);
    for (;;) {
        int listener = syscall(SYS_seccomp, (long)SECCOMP_SET_MODE_FILTER, (long)flags, &filter);
        if (listener >= 0) return listener;
        if (errno == EINVAL && flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
            flags &= ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        else if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            return -1; // EACCES: without CAP_SYS_ADMIN the kernel wants no_new_privs first
    }
}

static void run(const int *fds, char *payload, uint32_t bytes, struct slot *slot) {
    sigset_t none;
    char *end = payload + bytes, *directory = payload, *at = payload;
    char **strings = calloc(bytes + 2, sizeof *strings); // one pointer a byte at the very most
    int n = 0, arguments;
    while (strings && at < end) strings[n++] = at, at += strnlen(at, end - at) + 1;
    if (!strings || n < 3) _exit(126);
    arguments = atoi(strings[1]);
    char **environment = strings + 2 + arguments;
    if (arguments < 1 || arguments > n - 2) _exit(126);
    memmove(environment + 1, environment, (n - 2 - arguments) * sizeof *strings); // room for argv's null
    environment[0] = 0;
    char **argv = strings + 2;
    environment++;
    setpgid(0, 0);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(fds[1], 1);
    dup2(fds[2], 2);
    // Far above what init has open, so that both are neighbours. The second stays open until exec closes it: Fracas sees that.
    int program_fd = fcntl(fds[3], F_DUPFD_CLOEXEC, 64), until_exec = fcntl(fds[4], F_DUPFD_CLOEXEC, program_fd + 1);
    syscall(SYS_close_range, 3L, (long)program_fd - 1, 0L);
    syscall(SYS_close_range, (long)until_exec + 1, (long)~0U, 0L);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    for (int s = 1; s < 65; s++) signal(s, SIG_DFL);
    umask(022);
    if (chdir(directory)) slot->failure = errno, slot->listener = -2, _exit(127);
    int listener = load_filter(program_fd);
    if (listener < 0) slot->failure = errno, slot->listener = -2, _exit(127);
    slot->listener = listener;
    while (!slot->released) spin();
    execve(argv[0], argv, environment);
    slot->failure = errno;
    _exit(127);
}

pid_t start_child(const int *fds, char *payload, uint32_t bytes, struct slot *slot) {
    pid_t pid = fork();
    if (pid == 0) run(fds, payload, bytes, slot);
    return pid;
}
