#define _GNU_SOURCE
#include "CSyscall.h"
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>

// A signal handler may use nothing that locks or allocates, so it cannot be Swift: it writes a byte, and a thread reads it.
static int caught = -1;

static void tell(int number) {
    int before = errno;
    unsigned char byte = (unsigned char)number;
    if (write(caught, &byte, 1) < 0) {}
    errno = before;
}

int fracas_catch_signals(const int *numbers, int count, int into) {
    struct sigaction action = {.sa_handler = tell, .sa_flags = SA_RESTART};
    caught = into;
    for (int i = 0; i < count; i++)
        if (sigaction(numbers[i], &action, 0) < 0) return -1;
    return 0;
}

// Handlers for SIGCHLD run on whichever thread the kernel picks, and each thread that traces must hear of it: an eventfd that
// nobody reads is an edge for every poller that watches it.
static int children = -1;

static void child_changed(int number) {
    int before = errno;
    uint64_t one = 1;
    (void)number;
    if (write(children, &one, sizeof one) < 0) {}
    errno = before;
}

int fracas_watch_children(void) {
    struct sigaction action = {.sa_handler = child_changed, .sa_flags = SA_RESTART};
    children = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return children < 0 || sigaction(SIGCHLD, &action, 0) < 0 ? -1 : children;
}

void fracas_address_text(const struct sockaddr_storage *address, unsigned length, char *into, size_t size) {
    char text[INET6_ADDRSTRLEN] = "";
    into[0] = 0;
    if (address->ss_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *a = (const void *)address;
        inet_ntop(AF_INET, &a->sin_addr, text, sizeof text);
        snprintf(into, size, "%s:%d", text, ntohs(a->sin_port));
    } else if (address->ss_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        const struct sockaddr_in6 *a = (const void *)address;
        inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof text);
        snprintf(into, size, "[%s]:%d", text, ntohs(a->sin6_port));
    } else if (address->ss_family == AF_UNIX && length > sizeof(sa_family_t)) {
        const struct sockaddr_un *a = (const void *)address;
        int isAbstract = a->sun_path[0] == 0;
        int most = (int)(length - sizeof(sa_family_t)) - isAbstract;
        snprintf(into, size, "unix:%s%.*s", isAbstract ? "@" : "", most, a->sun_path + isAbstract);
    }
}

void fracas_peer_text(int socket, char *into, size_t size) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    into[0] = 0;
    if (getpeername(socket, (struct sockaddr *)&address, &length) == 0) fracas_address_text(&address, length, into, size);
    // The accepting end of a unix socket has a nameless peer: there the name is its own.
    length = sizeof address;
    if (!into[0] && getsockname(socket, (struct sockaddr *)&address, &length) == 0 && address.ss_family == AF_UNIX)
        fracas_address_text(&address, length, into, size);
}

int fracas_unix_reach(int socket) {
    struct sockaddr_un name;
    socklen_t length = sizeof name;
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockname(socket, (struct sockaddr *)&name, &length) < 0) return 0;
    if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) < 0) return 0;
    int has_path = length > offsetof(struct sockaddr_un, sun_path) && name.sun_path[0];
    if (fracas_is_listening(socket)) return !has_path;
    return type == SOCK_DGRAM && has_path ? 0 : 2;
}

int fracas_tcp_is_settled(int socket) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return 0;
    int by_time = 0;
    length = sizeof by_time;
    int option = info.tcpi_state == TCP_LISTEN ? TCP_DEFER_ACCEPT : TCP_USER_TIMEOUT;
    if (getsockopt(socket, IPPROTO_TCP, option, &by_time, &length) < 0 || by_time) return 0;
    if (info.tcpi_state == TCP_LISTEN) return 1;
    return (info.tcpi_state == TCP_ESTABLISHED || info.tcpi_state == TCP_CLOSE_WAIT) && !info.tcpi_unacked;
}

int fracas_tcp_is_half_closed(int socket) {
    struct tcp_info info;
    socklen_t length = sizeof info;
    return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_CLOSE_WAIT;
}
