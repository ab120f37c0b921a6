// fracas-load calls: how long a call takes, by itself or with others at the same time.
#include "load.h"
#include <time.h>

enum { WARM_UP_CALLS = 1000 };

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void warm_up(int index) {
    (void)index;
    for (int i = 0; i < WARM_UP_CALLS; i++) call();
}

static int measure(long count, uint64_t *ns) {
    long all = 0; // negative once a result was
    uint64_t start_ns = now_ns();
    for (long i = 0; i < count; i++) all |= call();
    *ns = now_ns() - start_ns;
    return all < 0 ? fail("a call that cannot fail") : 0;
}

static int report(int failed, uint64_t ns, long count) {
    if (!failed) printf("ns_per_call=%.1f calls=%ld\n", (double)ns / count, count);
    return failed;
}

int measure_and_report(long count) {
    uint64_t ns;
    warm_up(0);
    int failed = measure(count, &ns);
    return report(failed, ns, count);
}

int start_together(long wanted, pid_t *pid, void (*prepare)(int), int (*run)(int)) {
    static const char zeros[MAX_PROCESSES];
    int ready[2], go[2], made = 0;
    if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC)) return fail("pipe"), 0;
    while (made < wanted && (pid[made] = fork()) > 0) made++;
    if (made < wanted && pid[made] == 0) {
        close(ready[0]), close(go[1]);
        prepare(made);
        close(ready[1]); // who is dead has closed it too: nobody waits for them
        _exit(!read_byte(go[0]) || run(made));
    }
    if (made < wanted) fail("fork");
    close(ready[1]);
    read_byte(ready[0]); // there is none, but an end once all have closed
    if (made == wanted && write(go[1], zeros, wanted) != wanted) fail("starting the children"); // at most PIPE_BUF: all or none
    close(go[1]); // without its byte a child ends
    close(ready[0]), close(go[0]);
    return made;
}

static uint64_t *all_ns;
static long count_each;

static int measure_one(int index) { return measure(count_each, &all_ns[index]); }

int calls(const struct options *o) {
    static pid_t pid[MAX_PROCESSES];
    uint64_t total_ns = 0;
    if (o->processes == 1) return measure_and_report(o->count);
    count_each = o->count;
    if (!(all_ns = share(-1, o->processes * sizeof *all_ns))) return fail("mmap");
    int made = start_together(o->processes, pid, warm_up, measure_one), failed = made < o->processes;
    for (int i = 0; i < made; i++) {
        if (reap(pid[i])) failed = 1, fprintf(stderr, "fracas-load: child %d did not finish\n", i);
        total_ns += all_ns[i];
    }
    return report(failed, total_ns, made * o->count);
}
