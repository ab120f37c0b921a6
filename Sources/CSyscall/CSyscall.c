#include "CSyscall.h"
#include <signal.h>

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
