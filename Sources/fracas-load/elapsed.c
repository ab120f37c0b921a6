// fracas-load time: how long another program takes, from before its exec to its end.
#include "load.h"
#include <time.h>

int elapsed(char **argv) {
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    pid_t pid = fork();
    if (pid < 0) return fail("fork");
    if (pid == 0) {
        execvp(argv[0], argv);
        _exit(fail(argv[0]) + 126);
    }
    int status = reap(pid);
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("elapsed_ns=%ld\n", (to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec);
    return status != 0;
}
