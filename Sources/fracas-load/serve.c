// fracas-load serve: a service whose own start takes a time that is known. It reads a file, waits, listens on the loopback address, and
// answers every request with what the file said.
#include "load.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { BACKLOG = 128, PATIENCE_MS = 1000 };

static int answer(int connection, const char *text, size_t length) {
    char request[4096];
    struct pollfd readable = {.fd = connection, .events = POLLIN};
    if (poll(&readable, 1, PATIENCE_MS) == 1 && read(connection, request, sizeof request) > 0)
        return send(connection, text, length, MSG_NOSIGNAL) < 0;
    return 1;
}

int serve_file(const struct options *o) {
    char content[1024], text[2048];
    int file = open(o->file, O_RDONLY | O_CLOEXEC);
    ssize_t count = file < 0 ? -1 : read(file, content, sizeof content);
    if (count < 0) return fail(o->file);
    close(file);
    int head = snprintf(text, sizeof text,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: %zd\r\n\r\n", count);
    memcpy(text + head, content, count);
    poll(0, 0, o->delay); // what an interpreter does before it listens
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(o->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0
        || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, BACKLOG) < 0)
        return fail("listen on the loopback address");
    for (;;) {
        int connection = TEMP_FAILURE_RETRY(accept4(listener, 0, 0, SOCK_CLOEXEC));
        if (connection < 0) {
            if (errno == ECONNABORTED) continue;
            return fail("accept");
        }
        answer(connection, text, head + count);
        close(connection);
    }
}
