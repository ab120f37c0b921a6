// Warm starts: the launcher inside an interpreter that has loaded already what a target will import. A trial's guard, its init and
// its processes are then copies of that interpreter, and a process that is started warm does not execute a program but
// goes on as it is. Everything between is what it is for the others.
#define _GNU_SOURCE
#include "launch.h"
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 4 * MAX_BINDS, MAX_TEXT = 1 << 16 };

static jmp_buf interpreter;
static int is_inside;
static struct { char *start; size_t room; } shown; // where /proc/<pid>/cmdline is read from
static struct { char *payload; uint32_t bytes; } target;

int is_interpreter(void) { return is_inside; }

// Fields 48 and 49 of /proc/self/stat, counted from the end of the name, which may contain anything: proc_pid_stat(5).
static void find_arguments(void) {
    char text[4096], *at = 0;
    unsigned long start = 0, end = 0;
    FILE *file = fopen("/proc/self/stat", "re");
    if (file && fgets(text, sizeof text, file)) at = strrchr(text, ')');
    for (int field = 2; at && field < 48; field++) at = strchr(at + 1, ' ');
    if (at && sscanf(at, "%lu %lu", &start, &end) == 2 && end > start) shown.start = (char *)start, shown.room = end - start;
    if (file) fclose(file);
}

// The name and the command line that others see are the target's: roles are told by it, and forked children inherit it.
void show_arguments(char **arguments, int count) {
    size_t used = 0;
    char *slash = strrchr(arguments[0], '/');
    prctl(PR_SET_NAME, slash ? slash + 1 : arguments[0]);
    if (!shown.start) return;
    memset(shown.start, 0, shown.room);
    for (int i = 0; i < count; i++) {
        size_t length = strlen(arguments[i]) + 1;
        if (used + length >= shown.room) return; // the last byte stays NUL, or the kernel would read on
        memcpy(shown.start + used, arguments[i], length);
        used += length;
    }
}

void go_on_in_interpreter(char *payload, uint32_t bytes) {
    target.payload = payload;
    target.bytes = bytes;
    longjmp(interpreter, 1);
}

// One trial: its options, NUL-terminated, in a file, and its socket.
static pid_t make_trial(char *text, ssize_t length, int socket) {
    static char *arguments[MAX_ARGUMENTS];
    struct options o;
    int count = 0;
    for (char *at = text; at < text + length && count < MAX_ARGUMENTS; at += strlen(at) + 1) arguments[count++] = at;
    // A child of Fracas's, which waits for it, as one that it has started itself is. So the exit signal is this process's own.
    pid_t child = syscall(SYS_clone, (long)(CLONE_PARENT | SIGCHLD), 0L, 0L, 0L, 0L);
    if (child) return child < 0 ? -errno : child;
    if (dup2(socket, 3) < 0 || read_options(count, arguments, &o)) _exit(2);
    _exit(guard(&o));
}

char *fracas_serve_warm(int control, uint32_t *bytes) {
    static char text[MAX_TEXT];
    is_inside = 1;
    find_arguments();
    if (setjmp(interpreter)) return *bytes = target.bytes, target.payload;
    int32_t answer = 0; // stands ready
    while (send(control, &answer, sizeof answer, MSG_NOSIGNAL) == sizeof answer) {
        char byte, space[CMSG_SPACE(2 * sizeof(int))];
        struct iovec part = {&byte, 1};
        struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
        int fds[2];
        if (recvmsg(control, &h, MSG_CMSG_CLOEXEC) <= 0) break; // Fracas is gone, or needs it no more
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        if (!c || c->cmsg_len != CMSG_LEN(sizeof fds)) break;
        memcpy(fds, CMSG_DATA(c), sizeof fds);
        ssize_t length = pread(fds[0], text, sizeof text - 1, 0);
        answer = length > 0 ? make_trial(text, length, fds[1]) : -EINVAL;
        close(fds[0]);
        close(fds[1]);
    }
    _exit(0);
}
