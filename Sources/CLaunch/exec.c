// Between fork and exec: streams, directory, signals, the filter, exec. Once the filter is on, not one system call is
// made before execve(2), whatever the plan intercepts: the listener's number is left in shared memory for whoever reports it.
// A process that is started warm goes on without execve(2), and finds itself as after one.
#define _GNU_SOURCE
#include "launch.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
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

// Tells Fracas of the new process, with its pidfd and its listener, as the process itself cannot without a system call: with the
// same descriptors as the process, but not under its filter, and init's child like it. execve(2) gives the process
// descriptors of its own; what is open in a warm one that is not the target's is closed here for both. It shares the memory too,
// for a copy of an interpreter's is dear. So it has a stack of its own, and makes no call that fails as long as all goes well:
// errno is the other's.
struct reporter { int socket; pid_t process; const struct request *request; struct slot *slot; };
static char reporter_stack[1 << 16] __attribute__((aligned(16)));

static int report(void *argument) {
    const struct reporter *own = argument;
    const struct request *request = own->request;
    const int socket = own->socket;
    const pid_t process = own->process;
    struct slot *slot = own->slot;
    struct message m = {.kind = 'P', .id = request->id, .pid = process};
    while (slot->listener == -1 && !kill(process, 0)) sched_yield();
    int fds[2] = {syscall(SYS_pidfd_open, (long)process, 0L), slot->listener};
    if (fds[0] < 0 || fds[1] < 0 || send_message(socket, &m, fds, 2)) {
        errno = slot->failure ? slot->failure : errno;
        kill(process, SIGKILL);
        send_failure(socket, slot->failed ? slot->failed : "put the process under the gate", request->id);
    }
    if (request->warm) syscall(SYS_close_range, 3L, (long)~0U, 0L);
    slot->reported = 1;
    syscall(SYS_futex, &slot->reported, (long)FUTEX_WAKE, 1L, 0L, 0L, 0L);
    _exit(0);
}

static void start_reporter(int socket, const struct request *request, struct slot *slot) {
    static struct reporter own; // outlives this call, as it must
    own = (struct reporter){socket, getpid(), request, slot};
    char *top = reporter_stack + sizeof reporter_stack;
    int reporter = clone(report, top, CLONE_VM | CLONE_FILES | CLONE_PARENT | SIGCHLD, &own);
    if (reporter < 0) _exit(126);
    slot->reporter = reporter;
}

static void run(int socket, const int *fds, char *payload, const struct request *request, struct slot *slot) {
    sigset_t none;
    uint32_t bytes = request->payload_bytes;
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
    // Far above what init has open, so that they are neighbours. The second stays open until exec closes it: Fracas sees that.
    int program_fd = fcntl(fds[3], F_DUPFD_CLOEXEC, 64), until_exec = fcntl(fds[4], F_DUPFD_CLOEXEC, program_fd + 1);
    int to_fracas = fcntl(socket, F_DUPFD_CLOEXEC, until_exec + 1);
    syscall(SYS_close_range, 3L, (long)program_fd - 1, 0L);
    syscall(SYS_close_range, (long)to_fracas + 1, (long)~0U, 0L);
    start_reporter(to_fracas, request, slot);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    for (int s = 1; s < 65; s++) signal(s, SIG_DFL);
    umask(022);
    if (chdir(directory)) slot->failed = "enter its working directory", slot->failure = errno, slot->listener = -2, _exit(127);
    void *robust = 0;
    size_t length = sizeof robust;
    if (request->warm) {
        // A trial whose sandbox no interpreter has made has none to go on in.
        if (!is_interpreter()) slot->failure = ENOEXEC, slot->listener = -2, _exit(127);
        show_arguments(argv, arguments);
        syscall(SYS_get_robust_list, 0L, &robust, &length);
    }
    // Init lets nobody look into it, and so into a copy of it. A program that is executed is itself again; what goes on without must be
    // made so, and so must what Fracas itself could not look into otherwise.
    if (request->warm || geteuid()) prctl(PR_SET_DUMPABLE, 1);
    int listener = load_filter(program_fd);
    if (listener < 0) slot->failure = errno, slot->listener = -2, _exit(127);
    slot->listener = listener;
    if (request->warm) {
        // The C library's start makes this call first in a new program: so Fracas knows a warm one as it does the others. It comes
        // back when Fracas was told, and by then what is not the target's is closed, or as good as.
        syscall(SYS_set_robust_list, robust, length);
        while (!slot->reported) spin();
        go_on_in_interpreter(payload, bytes);
    }
    execve(argv[0], argv, environment);
    slot->failure = errno;
    _exit(127);
}

pid_t start_child(int socket, const int *fds, char *payload, const struct request *request, struct slot *slot) {
    pid_t pid = fork();
    if (pid == 0) run(socket, fds, payload, request, slot);
    return pid;
}
