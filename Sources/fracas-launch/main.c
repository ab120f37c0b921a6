// fracas-launch: makes a trial's namespaces and starts its processes. Started by Fracas, never by hand.
#include "launch.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    struct options o = {.socket = -1};
    for (int i = 1; i < argc; i++) {
        int left = argc - i - 1;
        if (!strcmp(argv[i], "--socket") && left >= 1) o.socket = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--user")) o.user_namespace = 1;
        else if (!strcmp(argv[i], "--cgroup") && left >= 1) o.cgroup = argv[++i];
        else if (!strcmp(argv[i], "--groups") && left >= 1) o.groups = argv[++i];
        else if (!strcmp(argv[i], "--bind") && left >= 1 && o.bind_count < MAX_BINDS) o.bind[o.bind_count++] = argv[++i];
        else if (!strcmp(argv[i], "--overlay") && left >= 2 && o.overlay_count < MAX_BINDS) {
            o.overlay_lower[o.overlay_count] = argv[++i];
            o.overlay_at[o.overlay_count++] = argv[++i];
        } else o.socket = -1, i = argc;
    }
    if (o.socket < 0) {
        fputs("fracas-launch is a part of fracas and is started by it; see 'fracas --help'\n", stderr);
        return 2;
    }
    return guard(&o);
}
