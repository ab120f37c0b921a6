// Waits of a process whose clock is changed. libfaketime 0.9.10, told to leave the monotonic clock alone, takes the time-outs of
// some waits for times of the real-time clock all the same: a sleep then fails with EINVAL, a wait is over at once, or never. These
// go past it to the C library. It must be C, for it is preloaded into whatever a target is.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#define OURS __attribute__((visibility("default")))

// What the C library itself has, past what was preloaded.
static void *library(const char *name) {
    static void *libc;
    if (!libc) libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    return libc ? dlsym(libc, name) : 0;
}

// What is preloaded after this: libfaketime's, or the C library's.
static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

OURS int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    typedef int sleeping(clockid_t, int, const struct timespec *, struct timespec *);
    static sleeping *plain, *changed;
    if (!plain) changed = next("clock_nanosleep"), plain = library("clock_nanosleep");
    return (clock == CLOCK_REALTIME || !plain ? changed : plain)(clock, flags, until, left);
}

// glibc keeps in a condition's second lowest bit of this word which clock it waits by: COND_CLOCK_MONOTONIC_MASK.
static int is_monotonic(const pthread_cond_t *condition) { return condition->__data.__wrefs & 2; }

OURS int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *until) {
    typedef int waiting(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    typedef int clocked(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    static waiting *changed;
    static clocked *plain;
    if (!changed) plain = library("pthread_cond_clockwait"), changed = next("pthread_cond_timedwait");
    if (is_monotonic(condition) && plain) return plain(condition, mutex, CLOCK_MONOTONIC, until);
    return changed(condition, mutex, until);
}

OURS int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until) {
    typedef int waiting(sem_t *, clockid_t, const struct timespec *);
    static waiting *plain;
    if (!plain) plain = library("sem_clockwait");
    // By the real-time clock there is one that knows of the change.
    return clock == CLOCK_REALTIME || !plain ? sem_timedwait(semaphore, until) : plain(semaphore, clock, until);
}
