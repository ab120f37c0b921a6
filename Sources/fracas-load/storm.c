// fracas-load storm: many processes and threads that call, signal each other and make more processes, counted in a file that
// outlives them all. Whatever is killed, and whenever, `before` and `after` differ by at most one for each of its threads.
#include "load.h"
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/prctl.h>

enum { CALLS_PER_SIGNAL = 50, CALLS_PER_FORK = 500, GRANDCHILD_CALLS = 3 };

// Calls begun and come back, the same of a child's grandchildren; of those come back, how many a signal ended (EINTR); signals.
enum { BEFORE, AFTER, CHILD_BEFORE, CHILD_AFTER, INTERRUPTED, SIGNALS, COUNTS };
static const char *const count_names[] = {"before", "after", "child_before", "child_after", "interrupted", "signals"};

struct slot { // FILE is an array of these
    atomic_ulong count[COUNTS];
    atomic_int alive; // 0 before its pid can be another's
    int pid, status, padding;
};
_Static_assert(sizeof(struct slot) == 64, "a cache line each");

struct worker {
    pthread_t thread;
    long calls;
    uint64_t random;
};

static struct slot *slots, *mine;
static const struct options *options;

static uint64_t next_random(uint64_t *state) { // splitmix64
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void add(int which) { atomic_fetch_add_explicit(&mine->count[which], 1, memory_order_relaxed); }

static void counted_call(int before, int after) {
    add(before);
    atomic_signal_fence(memory_order_seq_cst); // the compiler keeps the order; so does a processor, for who looks later
    long result = call();
    atomic_signal_fence(memory_order_seq_cst);
    if (result < 0 && errno == EINTR) add(INTERRUPTED);
    add(after);
}

static void on_signal(int signal) {
    (void)signal;
    if (mine) add(SIGNALS);
}

static void signal_another(uint64_t *random) {
    int at = next_random(random) % options->processes;
    for (int i = 0; i < options->processes; i++, at = (at + 1) % options->processes) {
        if (&slots[at] == mine || !slots[at].alive) continue;
        if (kill(slots[at].pid, SIGUSR1) && errno != ESRCH) fail("kill");
        return;
    }
}

static int grandchild(void *unused) {
    (void)unused;
    for (int i = 0; i < GRANDCHILD_CALLS; i++) counted_call(CHILD_BEFORE, CHILD_AFTER);
    _exit(0);
}

static pid_t make_vforked(void) {
    pid_t pid = vfork();
    if (pid == 0) _exit(0);
    return pid;
}

static pid_t make_spawned(void) {
    char *arguments[] = {"true", 0};
    pid_t pid;
    return (errno = posix_spawn(&pid, "/bin/true", 0, 0, arguments, environ)) ? -1 : pid;
}

static pid_t make_sharing(void) { // memory, hence a stack of its own, inside ours: we wait until it ends
    char stack[16384] __attribute__((aligned(16)));
    return clone(grandchild, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, 0);
}

static pid_t make_forked(int kind, int *pidfd) {
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    pid_t pid = -1;
    if (kind == 1) pid = syscall(SYS_clone, (long)CLONE_PARENT | CLONE_PIDFD | SIGCHLD, 0L, pidfd, 0L, 0L);
    if (kind == 2) pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (kind == 0 || (kind == 2 && pid < 0 && errno == ENOSYS)) pid = fork();
    if (pid == 0) grandchild(0);
    return pid;
}

static void make_grandchild(uint64_t *random) {
    int kind = next_random(random) % 6, pidfd = -1;
    pid_t pid = kind < 3 ? make_forked(kind, &pidfd) : kind == 3 ? make_vforked() : kind == 4 ? make_spawned() : make_sharing();
    struct pollfd end = {pidfd, POLLIN, 0};
    if (pid < 0) fail("making a grandchild");
    else if (pidfd < 0) reap(pid);
    else TEMP_FAILURE_RETRY(poll(&end, 1, -1)), close(pidfd); // our parent's to reap, but ours to wait for
}

static void *work(void *argument) {
    struct worker *worker = argument;
    for (long i = 0; i < worker->calls; i++) {
        counted_call(BEFORE, AFTER);
        if (options->signals && next_random(&worker->random) % CALLS_PER_SIGNAL == 0) signal_another(&worker->random);
        if (options->forks && next_random(&worker->random) % CALLS_PER_FORK == 0) make_grandchild(&worker->random);
    }
    return 0;
}

static int run(int index) {
    struct worker workers[MAX_THREADS];
    uint64_t random = options->seed + (uint64_t)index * 0x632be59bd9b4e019;
    int made = 1, failed = 0;
    for (int i = 0; i < options->threads; i++) {
        workers[i].calls = options->count / options->threads + (i < options->count % options->threads);
        workers[i].random = next_random(&random);
    }
    for (; made < options->threads && !failed; made += !failed)
        if ((errno = pthread_create(&workers[made].thread, 0, work, &workers[made]))) failed = fail("pthread_create");
    work(&workers[0]);
    for (int i = 1; i < made; i++) pthread_join(workers[i].thread, 0);
    return failed;
}

static void prepare(int index) {
    mine = &slots[index];
    mine->pid = getpid();
    mine->alive = 1;
}

// All that end: also grandchildren made with CLONE_PARENT, and those whose child was killed.
static void reap_all(pid_t *pid, int made) {
    siginfo_t ended;
    while (TEMP_FAILURE_RETRY(waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT)) == 0) {
        int at = 0;
        while (at < made && pid[at] != ended.si_pid) at++;
        if (at < made) slots[at].alive = 0;
        int status = reap(ended.si_pid);
        if (at < made) slots[at].status = status, slots[at].pid = pid[at], pid[at] = 0; // which another may get now
    }
}

static void print_counts(const struct slot *slot, int from, int to) {
    for (int i = from; i < to; i++) printf(" %s=%lu", count_names[i], slot->count[i]);
}

static void report(void) {
    struct slot total = {0};
    for (int i = 0; i < options->processes; i++) {
        int status = slots[i].status, exited = WIFEXITED(status);
        printf("child=%d pid=%d", i, slots[i].pid);
        print_counts(&slots[i], BEFORE, INTERRUPTED);
        printf(" status=%s:%d", exited ? "exit" : "signal", exited ? WEXITSTATUS(status) : WTERMSIG(status));
        print_counts(&slots[i], INTERRUPTED, COUNTS);
        putchar('\n');
        for (int count = 0; count < COUNTS; count++) total.count[count] += slots[i].count[count];
    }
    printf("total");
    print_counts(&total, BEFORE, COUNTS);
    putchar('\n');
}

int storm(const struct options *o) {
    static pid_t pid[MAX_PROCESSES];
    struct sigaction action = {.sa_handler = on_signal};
    size_t bytes = o->processes * sizeof *slots;
    int fd = open(o->file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    options = o;
    if (fd < 0 || ftruncate(fd, bytes) || !(slots = share(fd, bytes))) return fail(o->file);
    if (sigaction(SIGUSR1, &action, 0) || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) return fail("setting up");
    int made = start_together(o->processes, pid, prepare, run);
    reap_all(pid, made);
    if (made < o->processes) return 1;
    report();
    return 0;
}
