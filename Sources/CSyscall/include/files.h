// Files and processes of a deployment: calls newer than the C library, names that are both a structure and a function, and
// what happens between fork(2) and execve(2), where nothing may allocate.
#ifndef FRACAS_FILES_H
#define FRACAS_FILES_H
#include <grp.h>
#include <linux/openat2.h>
#include <sys/file.h>

// renameat2(2): 1 fails where the new name exists, 2 exchanges the two.
static inline int fracas_rename(const char *from, const char *to, unsigned flags) {
    return (int)syscall(SYS_renameat2, (long)AT_FDCWD, from, (long)AT_FDCWD, to, FRACAS_ARGUMENT(flags));
}
// Opens a path below a directory, through no symbolic link and not out of it, `openat2(2)`.
static inline int fracas_open_beneath(int directory, const char *path, int flags, int mode) {
    struct open_how how = {.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
                           .mode = (uint64_t)((flags & O_CREAT) ? mode : 0),
                           .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH};
    return (int)syscall(SYS_openat2, FRACAS_ARGUMENT(directory), path, &how, sizeof how);
}
static inline int fracas_lock_file(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }

struct fracas_child {
    const char *path, *directory;
    char *const *arguments, *const *environment;
    int input, output;
    int gate;     // the child waits for one byte here before it runs its program, and ends at an end of file
    int report;   // the errno of a program that could not be run goes here
    int dies_with_parent;
    int user, group;  // -1: ours
};
// Starts a program in a session of its own, with no descriptor but its standard ones; answers its id, or -1 with errno.
int fracas_start_child(const struct fracas_child *child);
// What keeps a program running: its parent, which also becomes the parent of all that is orphaned below it.
struct fracas_keeper {
    const char *path;
    char *const *arguments, *const *environment;
    int births;  // the id of the program's process goes here, four bytes
    int letter;  // stays open for the keeper, as descriptor 5
};
// Starts a program below its keeper. Both wait for a byte of the gate, and end at its end of file. Answers the keeper's id, or -1
// with errno.
int fracas_start_kept(const struct fracas_child *child, const struct fracas_keeper *keeper);
#endif
