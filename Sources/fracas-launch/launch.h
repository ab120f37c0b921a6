// What fracas-launch's parts share: its options, and the messages it exchanges with Fracas.
// Why C: everything here runs between clone and exec, or as the init of a pid namespace, where no language runtime may be.
#ifndef FRACAS_LAUNCH_H
#define FRACAS_LAUNCH_H
#include <stdint.h>
#include <sys/types.h>

enum { MAX_BINDS = 64, MAX_CHILDREN = 256 };

struct options {
    int socket;                       // SOCK_SEQPACKET to Fracas; its end of file ends the trial
    int user_namespace;               // whether a user namespace is needed first
    const char *cgroup;               // directory to make and remove, with those beside it named <cgroup>.<number>, or null
    const char *groups;               // likewise, but only those beside it, or null
    int bind_count;
    const char *bind[MAX_BINDS];      // host paths that must stay visible although /tmp and /var/tmp are private
    int overlay_count;
    const char *overlay_lower[MAX_BINDS], *overlay_at[MAX_BINDS];
};

// Messages to Fracas. Descriptors travel with SCM_RIGHTS.
struct message {
    char kind;          // 'R' trial is set up, with /proc, /tmp, /dev/shm; 'P' process started, with its pidfd and its
                        // listener; 'X' init reaped a process; 'E' what could not be done
    uint32_t id;        // of the request, for 'P' and 'E'
    int32_t pid;        // inside the trial
    int32_t status;     // for 'X' as wait(2) gives it; for 'E' the errno
    int32_t exec_errno; // for 'X': why exec failed, or 0
    char text[64];      // for 'E': what was attempted
};

// A request from Fracas: start a process. Descriptors: payload, standard output, standard error, the filter's program, and
// the end of a pipe that the process holds until its program runs. The payload is NUL-terminated strings: directory,
// argument count, arguments, environment.
struct request {
    uint32_t id;
    uint32_t payload_bytes;
};

// Shared with a child between fork and exec, so that it need not make a system call once its filter is on.
struct slot {
    volatile int32_t listener;   // -1 until the filter is on, then the listener's number in the child; -2 if it failed
    volatile int32_t released;   // set by init once it has the listener
    volatile int32_t failure;    // errno of the failed filter or exec
    pid_t pid;
};

int guard(const struct options *options);
void init(const struct options *options, int go) __attribute__((noreturn));
int send_message(int socket, const struct message *message, const int *fds, int fd_count);
pid_t start_child(const int *fds, char *payload, uint32_t bytes, struct slot *slot);

// Waits a moment without a system call, which the filter might intercept.
static inline void spin(void) { __asm__ volatile("" ::: "memory"); }

#endif
