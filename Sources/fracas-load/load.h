// What fracas-load's parts share. fracas-load is targets for benchmarks and tests of the gate: programs whose own count of
// what they did is known. Why C: a runtime makes system calls, threads and processes of its own, which would be counted too.
#ifndef FRACAS_LOAD_H
#define FRACAS_LOAD_H
#define _GNU_SOURCE // hence included first
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PROCESSES = 1024, MAX_THREADS = 64 };

struct options {
    long count, processes, threads, rounds; // count: calls, for a storm those of each process; threads: of each process
    long port, delay; // delay: milliseconds
    uint64_t seed;
    const char *file; // or null
    int epoll, signals, forks;
};

// The commands. Each returns the exit status, having said on standard error why it is not 0.
int calls(const struct options *o);
int allow(const struct options *o);
int loop(const struct options *o);
int storm(const struct options *o);
int race(const struct options *o);
int interrupt(const struct options *o);
int serve_file(const struct options *o);
int elapsed(char **argv);             // a whole program's time; its own arguments

int fail(const char *attempted);      // says so, with errno; returns 1
int reap(pid_t pid);                  // its status as wait(2) gives it, or -1
int read_byte(int fd);                // whether there was one before the end
void *share(int fd, size_t bytes);    // memory shared with all descendants, of a file unless fd is -1; or null
int measure_and_report(long count);   // warms up, makes the calls, prints the line

// Forks children that exit with what run returns, once all have prepared or are dead. How many were made, hence are to reap:
// if fewer than wanted, it has said why and they do not run.
int start_together(long wanted, pid_t *pid, void (*prepare)(int index), int (*run)(int index));

// The call that all commands make: it does next to nothing, and nothing else in the process makes it.
static inline long call(void) { return syscall(SYS_getppid, 0L); }

#endif
