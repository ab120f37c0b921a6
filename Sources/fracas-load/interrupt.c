// fracas-load interrupt: threads that open and close a file, which Linux never interrupts, while signals come that have a handler without
// SA_RESTART. How often a call was interrupted all the same, and how many signals were handled, is printed at the end.
#include "load.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

enum { PAUSE_US = 50 };

static struct { atomic_ulong calls, interrupted, handled; atomic_int ready, over; pid_t thread[MAX_THREADS]; } *shared;
static long threads;

static void on_signal(int signal) {
    (void)signal;
    atomic_fetch_add_explicit(&shared->handled, 1, memory_order_relaxed);
}

static void note(long result) {
    atomic_fetch_add_explicit(&shared->calls, 1, memory_order_relaxed);
    if (result < 0 && errno == EINTR) atomic_fetch_add_explicit(&shared->interrupted, 1, memory_order_relaxed);
}

static void *work(void *index) {
    shared->thread[(long)index] = syscall(SYS_gettid);
    atomic_fetch_add(&shared->ready, 1);
    while (!shared->over) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        note(fd);
        if (fd >= 0) note(close(fd));
    }
    return 0;
}

static int run_threads(void) {
    pthread_t thread[MAX_THREADS];
    int made = 1, failed = 0;
    for (; made < threads && !failed; made += !failed)
        if ((errno = pthread_create(&thread[made], 0, work, (void *)(long)made))) failed = fail("pthread_create");
    if (failed) shared->over = 1;
    work(0);
    for (int i = 1; i < made; i++) pthread_join(thread[i], 0);
    return failed;
}

int interrupt(const struct options *o) {
    struct sigaction action = {.sa_handler = on_signal}; // a restart would hide what is looked for
    struct timespec pause = {.tv_nsec = PAUSE_US * 1000};
    threads = o->threads;
    if (!(shared = share(-1, sizeof *shared)) || sigaction(SIGUSR1, &action, 0)) return fail("setting up");
    pid_t child = fork();
    if (child < 0) return fail("fork");
    if (child == 0) _exit(run_threads());
    while (shared->ready < threads && !shared->over) sched_yield();
    for (long i = 0; i < o->count && !shared->over; i++) {
        nanosleep(&pause, 0);
        if (syscall(SYS_tgkill, (long)child, (long)shared->thread[i % threads], (long)SIGUSR1)) break;
    }
    shared->over = 1;
    int status = reap(child);
    printf("sent=%ld handled=%lu calls=%lu interrupted=%lu\n", o->count, shared->handled, shared->calls, shared->interrupted);
    return status || shared->interrupted ? 1 : 0;
}
