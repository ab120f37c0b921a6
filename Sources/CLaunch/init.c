// The init of a trial's pid namespace: sets up its mounts and loopback, starts processes when asked, reaps whatever is
// left to it, and ends, with everything in the namespace, when Fracas is gone.
#define _GNU_SOURCE
#include "launch.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct slot *slots;

int send_message(int socket, const struct message *message, const int *fds, int fd_count) {
    char control[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct iovec part = {(void *)message, sizeof *message};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count) {
        h.msg_control = control;
        h.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
    }
    return sendmsg(socket, &h, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

void send_failure(int socket, const char *what, uint32_t id) {
    struct message m = {.kind = 'E', .id = id, .status = errno};
    snprintf(m.text, sizeof m.text, "%s", what);
    send_message(socket, &m, 0, 0);
}

static void die(int socket, const char *what) {
    send_failure(socket, what, 0);
    _exit(1);
}

static void make_directories(const char *path) {
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *p = copy + 1; *p; p++)
        if (*p == '/') *p = 0, mkdir(copy, 0755), *p = '/';
    mkdir(copy, 0755);
}

int lay_over(const struct options *o, int which) {
    char text[9000];
    snprintf(text, sizeof text, "lowerdir=%s", o->overlay_lower[which]);
    return mount("overlay", o->overlay_at[which], "overlay", MS_RDONLY, text);
}

static void set_up_mounts(const struct options *o) {
    int kept[MAX_BINDS];
    char text[9000];
    if (mount("none", "/", 0, MS_REC | MS_PRIVATE, 0)) die(o->socket, "make mounts private");
    for (int i = 0; i < o->bind_count; i++) kept[i] = open(o->bind[i], O_PATH | O_CLOEXEC);
    for (int i = 0; i < o->overlay_count; i++) {
        if (lay_over(o, i)) die(o->socket, "lay the release over the target");
        for (int k = 0; k < o->bind_count; k++) // a path kept below must show what was laid over it
            if (!strcmp(o->bind[k], o->overlay_at[i])) close(kept[k]), kept[k] = open(o->bind[k], O_PATH | O_CLOEXEC);
    }
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0)) die(o->socket, "mount /proc");
    if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")) die(o->socket, "mount a private /tmp");
    // Where a program looks that finds no place in /tmp: as when its calls fail because Fracas is gone, and it has an instant left.
    if (!access("/var/tmp", F_OK) && mount("tmpfs", "/var/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"))
        die(o->socket, "mount a private /var/tmp");
    if (mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")) die(o->socket, "mount a private /dev/shm");
    for (int i = 0; i < o->bind_count; i++) {
        if (kept[i] < 0 || (strncmp(o->bind[i], "/tmp/", 5) && strncmp(o->bind[i], "/var/tmp/", 9))) continue;
        make_directories(o->bind[i]);
        snprintf(text, sizeof text, "/proc/self/fd/%d", kept[i]);
        if (mount(text, o->bind[i], 0, MS_BIND | MS_REC, 0)) die(o->socket, "keep a temporary path visible");
    }
    for (int i = 0; i < o->bind_count; i++) close(kept[i]);
}

static void raise_loopback(int socket_to_fracas) {
    struct ifreq r = {.ifr_flags = IFF_UP | IFF_RUNNING};
    strcpy(r.ifr_name, "lo");
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0 || ioctl(s, SIOCSIFFLAGS, &r)) die(socket_to_fracas, "raise the loopback interface");
    close(s);
}

// Waits until Fracas was told of a new process. One that has ended before anybody could tell is told of here.
static void await_report(int socket, uint32_t id, struct slot *slot) {
    struct timespec moment = {.tv_nsec = 20000000};
    while (!slot->reported) {
        siginfo_t end = {0};
        syscall(SYS_futex, &slot->reported, (long)FUTEX_WAIT, 0L, &moment, 0L, 0L);
        if (slot->reporter || waitid(P_PID, slot->pid, &end, WEXITED | WNOWAIT | WNOHANG) || !end.si_pid) continue;
        errno = ECHILD;
        send_failure(socket, "put the process under the gate", id);
        break;
    }
}

static void answer_request(int socket) {
    struct request r;
    char control[CMSG_SPACE(5 * sizeof(int))];
    struct iovec part = {&r, sizeof r};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(socket, &h, MSG_CMSG_CLOEXEC);
    if (n <= 0) _exit(0); // Fracas is gone, or ends the trial: the kernel ends everything else here
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    if (n != sizeof r || !c) _exit(1);
    int count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int), fds[5];
    if (count != 5) _exit(1);
    memcpy(fds, CMSG_DATA(c), count * sizeof(int));
    char *payload = mmap(0, r.payload_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[0], 0);
    struct slot *slot = slots;
    while (slot < slots + MAX_CHILDREN && slot->pid) slot++;
    if (payload == MAP_FAILED || slot == slots + MAX_CHILDREN) send_failure(socket, "start a process: too many at once", r.id);
    else {
        *slot = (struct slot){.listener = -1};
        slot->pid = start_child(socket, fds, payload, &r, slot);
        if (slot->pid < 0) slot->pid = 0, send_failure(socket, "fork", r.id);
        else await_report(socket, r.id, slot);
        munmap(payload, r.payload_bytes);
    }
    for (int i = 0; i < count; i++) close(fds[i]);
}

static void reap(int socket) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        struct message m = {.kind = 'X', .pid = pid, .status = status};
        for (int i = 0; i < MAX_CHILDREN; i++)
            if (slots[i].pid == pid) m.id = 1, m.exec_errno = slots[i].failure, slots[i].pid = 0;
        send_message(socket, &m, 0, 0);
    }
}

void init(const struct options *o, int go) {
    char letter;
    sigset_t children;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(go, &letter, 1) != 1) _exit(1); // the guard died, or could not set things up
    close(go);
    prctl(PR_SET_NAME, "fracas-init");
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    set_up_mounts(o);
    raise_loopback(o->socket);
    slots = mmap(0, MAX_CHILDREN * sizeof *slots, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, 0);
    int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    struct message ready = {.kind = 'R', .pid = getpid()};
    int fds[4] = {open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                  open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                  socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)};
    int count = fds[3] < 0 ? 3 : 4; // without the last Fracas is not told which sockets belong together
    if (slots == MAP_FAILED || signals < 0 || send_message(o->socket, &ready, fds, count)) die(o->socket, "report the trial's set-up");
    for (int i = 0; i < count; i++) close(fds[i]); // a directory kept open here would look like a leak
    for (;;) {
        struct pollfd p[2] = {{signals, POLLIN, 0}, {o->socket, POLLIN, 0}};
        struct signalfd_siginfo info;
        if (poll(p, 2, -1) < 0) continue;
        if (p[0].revents && read(signals, &info, sizeof info) > 0) reap(o->socket);
        if (p[1].revents) answer_request(o->socket);
    }
}
