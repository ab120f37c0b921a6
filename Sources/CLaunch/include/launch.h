// What the launcher's parts share: its options, and the messages it exchanges with Fracas.
// Why C: everything here runs between clone and exec, or as the init of a pid namespace, where no language runtime may be.
#ifndef FRACAS_LAUNCH_H
#define FRACAS_LAUNCH_H
#include <stdint.h>
#include <sys/types.h>

enum { MAX_BINDS = 64, MAX_CHILDREN = 256 };

struct options {
    int socket;                       // SOCK_SEQPACKET to Fracas; its end of file ends the trial
    int user_namespace;               // whether a user namespace is needed first
    int confines;                     // whether root is to be in a user namespace of its own, with every user and group in it
    const char *cgroup;               // directory to make and remove, with those beside it named <cgroup>.<number>, or null
    const char *groups;               // likewise, but only those beside it, or null
    int bind_count;
    const char *bind[MAX_BINDS];      // host paths that must stay visible although /tmp and /var/tmp are private
    int writable_count, empty_count;
    const char *writable[MAX_BINDS];  // host paths that are the host's own in the trial
    const char *empty[MAX_BINDS];     // directories that are empty in the trial at first
    int overlay_count;
    const char *overlay_lower[MAX_BINDS], *overlay_at[MAX_BINDS];
};

// Messages to Fracas. Descriptors travel with SCM_RIGHTS.
struct message {
    char kind;          // 'R' trial is set up, with /proc, /tmp, /dev/shm and a socket of sock_diag(7); 'P' process started, with its pidfd and its
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
    uint32_t warm;               // whether it is to go on in the interpreter that the launcher runs in, in place of execve(2)
};

// Shared with a child between fork and exec, so that it need not make a system call once its filter is on.
struct slot {
    volatile int32_t listener;   // -1 until the filter is on, then the listener's number in the child; -2 if it failed
    volatile int32_t reporter;   // the process that tells Fracas; 0 before there is one
    volatile int32_t reported;   // set once Fracas was told, and a warm child has nothing open any more that is not its own
    volatile int32_t failure;    // errno of the failed filter or exec
    const char *volatile failed; // what failed before exec; null for the filter
    pid_t pid;
};

int guard(const struct options *options);
void leave_terminal(void);
int map_user(pid_t process, unsigned user, unsigned group, const char **what);
int lay_over(const struct options *options, int which, const char *at);
void set_up_mounts(const struct options *options);
void init(const struct options *options, int go) __attribute__((noreturn));
int send_message(int socket, const struct message *message, const int *fds, int fd_count);
void send_failure(int socket, const char *what, uint32_t id);
pid_t start_child(int socket, const int *fds, char *payload, const struct request *request, struct slot *slot);
int read_options(int argc, char **argv, struct options *options); // 0, or -1 for what it does not know

// What a process that is started warm gets in place of a program: see warm.c.
void go_on_in_interpreter(char *payload, uint32_t bytes) __attribute__((noreturn));
void show_arguments(char **arguments, int count);
int is_interpreter(void);

// Makes trials, from inside an interpreter, as long as `control` is open. Returns in each process that shall go on as the target,
// with its payload; never in the interpreter itself.
__attribute__((visibility("default"))) char *fracas_serve_warm(int control, uint32_t *bytes);

// Waits a moment without a system call, which the filter might intercept.
static inline void spin(void) { __asm__ volatile("pause" ::: "memory"); }

#endif
