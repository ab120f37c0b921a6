// The launcher's options, from a command line or from a message.
#include "launch.h"
#include <stdlib.h>
#include <string.h>

int read_options(int argc, char **argv, struct options *o) {
    *o = (struct options){.socket = -1};
    for (int i = 0; i < argc; i++) {
        int left = argc - i - 1;
        if (!strcmp(argv[i], "--socket") && left >= 1) o->socket = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--user")) o->user_namespace = 1;
        else if (!strcmp(argv[i], "--confine")) o->confines = 1;
        else if (!strcmp(argv[i], "--cgroup") && left >= 1) o->cgroup = argv[++i];
        else if (!strcmp(argv[i], "--groups") && left >= 1) o->groups = argv[++i];
        else if (!strcmp(argv[i], "--bind") && left >= 1 && o->bind_count < MAX_BINDS) o->bind[o->bind_count++] = argv[++i];
        else if (!strcmp(argv[i], "--writable") && left >= 1 && o->writable_count < MAX_BINDS)
            o->writable[o->writable_count++] = argv[++i];
        else if (!strcmp(argv[i], "--empty") && left >= 1 && o->empty_count < MAX_BINDS) o->empty[o->empty_count++] = argv[++i];
        else if (!strcmp(argv[i], "--overlay") && left >= 2 && o->overlay_count < MAX_BINDS) {
            o->overlay_lower[o->overlay_count] = argv[++i];
            o->overlay_at[o->overlay_count++] = argv[++i];
        } else return -1;
    }
    return o->socket < 0 ? -1 : 0;
}
