// fracas-load: targets for benchmarks and tests of the gate: programs whose own count of what they did is known.
#include "load.h"
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const struct command {
    const char *name, *arguments, *options; // letters as in set(); what follows a '?' may be left out
    int (*run)(const struct options *);
    const char *usage;
} commands[] = {
    {"calls", "c?p", "", calls, "COUNT [PROCESSES]"},
    {"loop", "c", "e", loop, "COUNT [--epoll]"},
    {"allow", "c", "", allow, "COUNT"},
    {"storm", "pcf", "tgks", storm, "PROCESSES CALLS FILE [--threads N] [--signals] [--forks] [--seed S]"},
    {"time", "", "", 0, "COMMAND [ARGUMENT ...]"},
    {"race", "?f", "r", race, "[FILE] [--rounds N]"},
    {"interrupt", "c", "t", interrupt, "SIGNALS [--threads N]"},
    {"serve", "of?d", "", serve_file, "PORT FILE [MILLISECONDS]"},
};
static const struct option long_options[] = {
    {"threads", 1, 0, 't'}, {"rounds", 1, 0, 'r'}, {"seed", 1, 0, 's'},
    {"epoll", 0, 0, 'e'}, {"signals", 0, 0, 'g'}, {"forks", 0, 0, 'k'}, {0, 0, 0, 0},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(void) {
    for (int i = 0; i < COMMANDS; i++)
        fprintf(stderr, "%s fracas-load %s %s\n", i ? "      " : "usage:", commands[i].name, commands[i].usage);
    exit(2);
}

static long number(const char *text, const char *what, long least, long most) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (*text >= '0' && *text <= '9' && !*end && !errno && value >= least && value <= most) return value;
    fprintf(stderr, "fracas-load: %s is a whole number from %ld to %ld, not '%s'\n", what, least, most, text);
    exit(2);
}

static void set(struct options *o, int letter, const char *text) {
    switch (letter) {
    case 'c': o->count = number(text, "the count of calls", 1, 1000000000000); break;
    case 'p': o->processes = number(text, "the count of processes", 1, MAX_PROCESSES); break;
    case 't': o->threads = number(text, "--threads", 1, MAX_THREADS); break;
    case 'r': o->rounds = number(text, "--rounds", 1, 1000000000); break;
    case 's': o->seed = number(text, "--seed", 0, INT64_MAX); break;
    case 'o': o->port = number(text, "the port", 1, 65535); break;
    case 'd': o->delay = number(text, "the time until it listens", 0, 60000); break;
    case 'f': o->file = text; break;
    case 'e': o->epoll = 1; break;
    case 'g': o->signals = 1; break;
    case 'k': o->forks = 1; break;
    }
}

int fail(const char *attempted) {
    fprintf(stderr, "fracas-load: %s: %s\n", attempted, strerror(errno));
    return 1;
}

int reap(pid_t pid) {
    int status;
    return TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) == pid ? status : -1;
}

int read_byte(int fd) {
    char byte;
    return TEMP_FAILURE_RETRY(read(fd, &byte, 1)) == 1;
}

void *share(int fd, size_t bytes) {
    void *memory = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
    return memory == MAP_FAILED ? 0 : memory;
}

int main(int argc, char **argv) {
    struct options o = {.processes = 1, .threads = 1, .rounds = 1, .seed = 1};
    const struct command *command = commands;
    while (command < commands + COMMANDS && (argc < 2 || strcmp(argv[1], command->name))) command++;
    if (command == commands + COMMANDS) usage();
    if (command->run == 0) return argc > 2 ? elapsed(argv + 2) || fflush(stdout) : (usage(), 2);
    optind = 2;
    for (int letter; (letter = getopt_long(argc, argv, "", long_options, 0)) != -1; set(&o, letter, optarg))
        if (!strchr(command->options, letter)) usage();
    int required = 1;
    for (const char *letter = command->arguments; *letter; letter++) {
        if (*letter == '?') required = 0;
        else if (optind < argc) set(&o, *letter, argv[optind++]);
        else if (required) usage();
    }
    if (optind < argc) usage();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0); // blocked may be inherited too
    signal(SIGCHLD, SIG_DFL); // were it ignored, as it may be inherited, there would be nothing to reap
    int status = command->run(&o);
    return fflush(stdout) ? fail("standard output") : status;
}
