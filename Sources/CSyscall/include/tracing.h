// One thread, for the length of one system call, `ptrace(2)`: seccomp stops a call only on its entry, so its return is seen
// this way. Registers are the architecture's own, hence C.
#ifndef FRACAS_TRACING_H
#define FRACAS_TRACING_H
#include <linux/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#ifndef __x86_64__
#error "registers of this architecture are not spelt out yet"
#endif

// glibc's <sys/ptrace.h> and the kernel's header do not go together, so the call is made by number.
static inline long fracas_ptrace(long request, int thread, long address, long data) {
    return syscall(SYS_ptrace, request, (long)thread, address, data);
}
// Attaches without stopping it, then asks it to stop where it next can.
static inline int fracas_trace_begin(int thread) {
    const long seize = 0x4206, interrupt = 0x4207, see_calls = 1 /* PTRACE_O_TRACESYSGOOD */;
    if (fracas_ptrace(seize, thread, 0, see_calls) < 0) return -1;
    return (int)fracas_ptrace(interrupt, thread, 0, 0);
}
// Lets a stopped thread go on until it next enters or leaves a call, with a signal or 0.
static inline int fracas_trace_to_call(int thread, int signal) { return (int)fracas_ptrace(24, thread, 0, signal); }
// Leaves a thread in the stop that a signal brought on its whole process, but lets it be continued.
static inline int fracas_trace_listen(int thread) { return (int)fracas_ptrace(0x4208, thread, 0, 0); }
// Lets a stopped thread go for good.
static inline int fracas_trace_end(int thread, int signal) { return (int)fracas_ptrace(17, thread, 0, signal); }

struct fracas_stop {
    int kind;       // 0 none, 'E' entering a call, 'X' leaving one, 'S' a signal, 'G' stopped as a group, 'T' trapped, 'D' dead
    int signal;
    int call;
    int64_t value;  // 'X': what the call answers
};

// What a traced thread has come to, without waiting; 0 when nothing new.
static inline struct fracas_stop fracas_trace_poll(int thread) {
    struct fracas_stop stop = {0, 0, -1, 0};
    struct user_regs_struct r;
    int status;
    long n = waitpid(thread, &status, __WALL | WNOHANG);
    if (n == 0) return stop;
    if (n < 0 || !WIFSTOPPED(status)) return stop.kind = 'D', stop;
    stop.signal = WSTOPSIG(status);
    if (stop.signal == (SIGTRAP | 0x80)) {
        struct ptrace_syscall_info info;
        memset(&info, 0, sizeof info);
        if (fracas_ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, (long)&info) < 0 ||
            fracas_ptrace(12, thread, 0, (long)&r) < 0)
            return stop.kind = 'D', stop;
        stop.kind = info.op == PTRACE_SYSCALL_INFO_ENTRY ? 'E' : 'X';
        stop.call = (int)r.orig_rax;
        stop.value = (int64_t)r.rax;
    } else if (status >> 16 == 128 /* PTRACE_EVENT_STOP */) {
        stop.kind = stop.signal == SIGTRAP ? 'T' : 'G';
    } else {
        stop.kind = 'S';
    }
    return stop;
}
// Waits until a traced thread is dead, and so no longer in the way of its parent and its namespace.
static inline void fracas_trace_await(int thread) {
    int status;
    for (;;) {
        int n = waitpid(thread, &status, __WALL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 || !WIFSTOPPED(status)) return;
        fracas_trace_end(thread, 0);
    }
}
// Changes an argument (0 to 5), or with -1 the answer, of a thread stopped at a call.
static inline int fracas_trace_set(int thread, int which, uint64_t value) {
    struct user_regs_struct r;
    if (fracas_ptrace(12, thread, 0, (long)&r) < 0) return -1;
    switch (which) {
    case -1: r.rax = value; break;
    case 0: r.rdi = value; break;
    case 1: r.rsi = value; break;
    case 2: r.rdx = value; break;
    case 3: r.r10 = value; break;
    case 4: r.r8 = value; break;
    default: r.r9 = value; break;
    }
    return (int)fracas_ptrace(13, thread, 0, (long)&r);
}
#endif
