// fracas-load race: two processes, each with one letter to write to the same pipe, and nothing that says who is first.
#include "load.h"
#include <sched.h>
#include <stdatomic.h>
#include <sys/prctl.h>

enum { LOOKS_PER_YIELD = 1000 };

static void run(char letter, int pipe_end, atomic_int *arrived) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); // who else would say that the other will never come?
    atomic_fetch_add(arrived, 1);
    for (int looks = 1; atomic_load(arrived) < 2; looks = (looks + 1) % LOOKS_PER_YIELD)
        if (looks == 0) sched_yield();
    _exit(write(pipe_end, &letter, 1) != 1);
}

static int run_round(atomic_int *arrived) {
    int ends[2], made = 0;
    char order[3] = "";
    pid_t pid[2];
    if (pipe2(ends, O_CLOEXEC)) return fail("pipe");
    atomic_store(arrived, 0);
    for (; made < 2 && (pid[made] = fork()) >= 0; made++)
        if (pid[made] == 0) run("AB"[made], ends[1], arrived);
    if (made < 2) fail("fork"), atomic_store(arrived, 2);
    for (int left = made; left > 0;) {
        pid_t ended = TEMP_FAILURE_RETRY(waitpid(-1, 0, 0));
        if (ended < 0) return fail("waiting for the children");
        if (ended != pid[0] && ended != pid[1]) continue;
        left--, atomic_store(arrived, 2); // had it been killed before it arrived, the other would wait for ever
    }
    close(ends[1]);
    for (ssize_t n = 0, have = 0; have < 2 && (n = TEMP_FAILURE_RETRY(read(ends[0], order + have, 1))) > 0;) have += n;
    close(ends[0]);
    if (!order[1]) return fprintf(stderr, "fracas-load: a child did not finish; written: '%s'\n", order), 1;
    printf("order=%s\n", order);
    return 0;
}

int race(const struct options *o) {
    atomic_int *arrived = share(-1, sizeof *arrived);
    if (!arrived) return fail("mmap");
    if (o->file && !freopen(o->file, "we", stdout)) return fail(o->file);
    for (long i = 0; i < o->rounds; i++)
        if (run_round(arrived)) return 1;
    return 0;
}
