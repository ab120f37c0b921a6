// fracas-launch: makes a trial's namespaces and starts its processes; with --warm, makes the place in which an interpreter loads
// what a target will import. Started by Fracas, never by hand.
#define _GNU_SOURCE
#include "launch.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

// The target as its trials will see it: with a release laid over it, where there is one.
static int see_target(const struct options *o) {
    const char *what;
    if (!o->overlay_count) return 0;
    // Who it is in a new user namespace is not known there before it is mapped.
    unsigned user = getuid(), group = getgid();
    if (unshare(CLONE_NEWNS | (o->user_namespace ? CLONE_NEWUSER : 0))) return -1;
    if (o->user_namespace && map_user(getpid(), user, group, &what)) return -1;
    if (mount("none", "/", 0, MS_REC | MS_PRIVATE, 0)) return -1;
    for (int i = 0; i < o->overlay_count; i++)
        if (lay_over(o, i, o->overlay_at[i])) return -1;
    return 0;
}

// What modules print as they are loaded is nobody's output; why one could not be loaded goes into the socket.
static int warm_up(const struct options *o, char **command) {
    if (see_target(o)) return perror("fracas-launch: lay the release over the target"), 1;
    leave_terminal();
    int null = open("/dev/null", O_RDWR);
    if (chdir("/") || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0) return 1;
    execv(command[0], command);
    return 127;
}

int main(int argc, char **argv) {
    struct options o;
    int end = 1;
    while (end < argc && strcmp(argv[end], "--warm")) end++;
    if (read_options(end - 1, argv + 1, &o)) {
        fputs("fracas-launch is a part of fracas and is started by it; see 'fracas --help'\n", stderr);
        return 2;
    }
    return end + 1 < argc ? warm_up(&o, argv + end + 1) : guard(&o);
}
