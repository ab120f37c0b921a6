// The guard: outside the trial's namespaces, it outlives Fracas's own death long enough to take away what a namespace
// does not: the cgroup. Its death in turn kills the trial's init, and with it every process of the trial.
#define _GNU_SOURCE
#include "launch.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n < 0 ? -1 : 0;
}

static void complain(const struct options *o, const char *what) {
    struct message m = {.kind = 'E', .status = errno};
    strncpy(m.text, what, sizeof m.text - 1);
    send_message(o->socket, &m, 0, 0);
}

// In its own user namespace a process is who it was outside, so that files and programs behave as they do for the user.
int map_user(pid_t process, unsigned user, unsigned group, const char **what) {
    char path[64], map[64];
    const char *names[] = {"setgroups", "uid_map", "gid_map"};
    for (int i = 0; i < 3; i++) {
        unsigned id = i == 1 ? user : group;
        snprintf(path, sizeof path, "/proc/%d/%s", process, names[i]);
        snprintf(map, sizeof map, "%u %u 1", id, id);
        if (write_file(path, i ? map : "deny")) return *what = names[i], -1;
    }
    return 0;
}

// Root's namespace has every user and group that there is here, each as who it is outside.
static int map_everybody(pid_t process, const char **what) {
    const char *names[] = {"uid_map", "gid_map"};
    for (int i = 0; i < 2; i++) {
        char path[64], map[4096] = "";
        unsigned inside, outside, count;
        size_t used = 0;
        snprintf(path, sizeof path, "/proc/self/%s", names[i]);
        FILE *own = fopen(path, "re");
        while (own && used < sizeof map - 64 && fscanf(own, "%u %u %u", &inside, &outside, &count) == 3)
            used += snprintf(map + used, sizeof map - used, "%u %u %u\n", inside, inside, count);
        if (own) fclose(own);
        snprintf(path, sizeof path, "/proc/%d/%s", process, names[i]);
        if (write_file(path, map)) return *what = names[i], -1;
    }
    return 0;
}

static int join_cgroup(const char *cgroup, pid_t child) {
    char path[4200], text[16];
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    snprintf(text, sizeof text, "%d", child);
    return write_file(path, text);
}

static int remove_below(const char *path, const struct stat *status, int kind, struct FTW *at) {
    (void)status;
    if (kind == FTW_DP && at->level) rmdir(path);
    return 0;
}

// The cgroup is empty as soon as init has been waited for, but for tasks the kernel is still putting away, and for groups that a
// target has made below it.
static void remove_cgroup(const char *cgroup) {
    char path[4200], text[256];
    snprintf(path, sizeof path, "%s/cgroup.events", cgroup);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < 200 && rmdir(cgroup) && errno == EBUSY; i++) {
        if (!nftw(cgroup, remove_below, 16, FTW_DEPTH | FTW_PHYS) && !rmdir(cgroup)) break;
        struct pollfd p = {fd, POLLPRI, 0};
        poll(&p, 1, 50);
        if (fd >= 0 && pread(fd, text, sizeof text, 0) < 0) break;
    }
    if (fd >= 0) close(fd);
}

// The groups that faults have made beside it, which are as empty: <base>.0, <base>.1, and so on.
static void remove_groups(const char *base) {
    char path[4200];
    for (int n = 0; n < 4096; n++) {
        snprintf(path, sizeof path, "%s.%d", base, n);
        if (access(path, F_OK)) return;
        remove_cgroup(path);
    }
}

// Init ends when Fracas closes its end, or is gone. One that cannot, for the target has stopped it, is ended from here: nothing in the
// trial can keep off a SIGKILL from outside.
static void await_end(const struct options *o, pid_t child) {
    struct pollfd p[2] = {{syscall(SYS_pidfd_open, (long)child, 0L), POLLIN, 0}, {o->socket, 0, 0}};
    while (poll(p, 2, -1) < 0 && errno == EINTR) {}
    if (!p[0].revents) kill(child, SIGKILL);
    close(o->socket); // Fracas sees that init is gone
    while (waitpid(child, 0, 0) < 0 && errno == EINTR) {}
}

// A Ctrl-C at the terminal is Fracas's to answer, and no target shall find a terminal. Not by setsid(2): where the kernel groups
// tasks by session (autogroups, sched(7)), waking one of another group costs a microsecond more, at every stopped call.
void leave_terminal(void) {
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal >= 0) ioctl(terminal, TIOCNOTTY), close(terminal);
    setpgid(0, 0);
}

int guard(const struct options *o) {
    int go[2];
    char letter;
    const char *what = "socketpair";
    syscall(SYS_close_range, (long)o->socket + 1, (long)~0U, 0L);
    leave_terminal();
    for (int s = 1; s < 16; s++)
        if (s == SIGHUP || s == SIGINT || s == SIGTERM || s == SIGPIPE || s == SIGQUIT) signal(s, SIG_IGN);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go)) return complain(o, what), 1;
    unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | SIGCHLD; // init makes the others, once it is in its cgroup
    if (o->user_namespace) flags |= CLONE_NEWUSER;
    pid_t child = syscall(SYS_clone, (long)flags, 0L, 0L, 0L, 0L);
    if (child == 0) {
        close(go[0]);
        init(o, go[1]);
    }
    if (child < 0) return complain(o, "clone with new namespaces"), 1;
    close(go[1]);
    int failed = 0;
    if (o->user_namespace && map_user(child, getuid(), getgid(), &what)) complain(o, what), failed = 1;
    if (!failed && o->cgroup && (mkdir(o->cgroup, 0755) || join_cgroup(o->cgroup, child)))
        complain(o, "make the trial's cgroup"), failed = 1;
    if (!failed && send(go[0], "g", 1, MSG_NOSIGNAL) != 1) failed = 1;
    if (!failed && o->confines && read(go[0], &letter, 1) == 1) {
        if (map_everybody(child, &what)) complain(o, what), failed = 1;
        else send(go[0], "g", 1, MSG_NOSIGNAL);
    }
    close(go[0]); // without the letter init ends here
    await_end(o, child);
    if (o->cgroup) remove_groups(o->cgroup), remove_cgroup(o->cgroup);
    if (o->groups) remove_groups(o->groups);
    return failed;
}
