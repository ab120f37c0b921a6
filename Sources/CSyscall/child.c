// Its own file, so that this changes nothing that Swift sees: dup3(2) and setgroups(2) are not in the C library otherwise.
#define _GNU_SOURCE
#include "CSyscall.h"

// Between fork and execve only calls that are safe in a signal handler: other threads' locks are as fork found them.
static void become(const struct fracas_child *c, int parent, const struct fracas_keeper *k) {
    sigset_t none;
    setsid();
    if (c->dies_with_parent && (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)) _exit(126);
    // High numbers first, so that none of these is overwritten before it was moved.
    int letter = k ? fcntl(k->letter, F_DUPFD_CLOEXEC, 1000) : -1;
    int report = fcntl(c->report, F_DUPFD_CLOEXEC, 1000), gate = fcntl(c->gate, F_DUPFD_CLOEXEC, 1000);
    int input = fcntl(c->input, F_DUPFD_CLOEXEC, 1000), output = fcntl(c->output, F_DUPFD_CLOEXEC, 1000);
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || dup3(report, 3, O_CLOEXEC) < 0 ||
        dup3(gate, 4, O_CLOEXEC) < 0)
        _exit(126);
    if (k && dup2(letter, 5) < 0) _exit(126);
    syscall(SYS_close_range, k ? 6L : 5L, ~0L & 0x7fffffffL, 0L);
    for (int n = 1; n < 65; n++)
        if (n != SIGKILL && n != SIGSTOP) signal(n, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    char byte;
    long n;
    while ((n = read(4, &byte, 1)) < 0 && errno == EINTR) {}
    if (n != 1) _exit(126);
    if (k) {
        // It stays for as long as the service does, and must not keep a directory from being unmounted.
        if (chdir("/") < 0) goto failed;
        execve(k->path, k->arguments, k->environment);
        goto failed;
    }
    gid_t group = (gid_t)c->group;
    if (c->user >= 0 && (setgroups(1, &group) < 0 || setgid(group) < 0 || setuid((uid_t)c->user) < 0)) goto failed;
    if (chdir(c->directory) < 0) goto failed;
    execve(c->path, c->arguments, c->environment);
failed:;
    int error = errno;
    if (write(3, &error, sizeof error) < 0) {}
    _exit(127);
}

int fracas_start_child(const struct fracas_child *c) {
    int parent = getpid();
    // The mask keeps a signal meant for us from running our handler in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int pid = fork();
    if (pid == 0) become(c, parent, 0);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, 0);
    errno = error;
    return pid;
}

// The keeper first makes the program's process, which so is its child, and only then becomes its own program.
static void keep(const struct fracas_child *c, const struct fracas_keeper *k) {
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) _exit(126);
    int keeper = getpid();
    // Without the handlers that fork(3) calls: other threads' locks are not ours to take here.
    int pid = _Fork();
    if (pid == 0) become(c, keeper, 0);
    if (pid < 0 || write(k->births, &pid, sizeof pid) != sizeof pid) _exit(126);
    become(c, keeper, k);
}

int fracas_start_kept(const struct fracas_child *c, const struct fracas_keeper *k) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int pid = fork();
    if (pid == 0) keep(c, k);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, 0);
    errno = error;
    return pid;
}
