// What copying a tree needs beyond reading and writing: calls that the C library declares only for GNU programs.
#ifndef FRACAS_TREES_H
#define FRACAS_TREES_H
#include <sys/xattr.h>

// Brings everything of the file system that an open file is on to the disk, `syncfs(2)`.
static inline int fracas_sync_file_system(int fd) { return (int)syscall(SYS_syncfs, FRACAS_ARGUMENT(fd)); }
// The names of an open file's extended attributes, each with a zero at its end.
static inline long fracas_list_attributes(int fd, void *names, unsigned long size) { return flistxattr(fd, names, size); }
static inline long fracas_get_attribute(int fd, const char *name, void *value, unsigned long size) {
    return fgetxattr(fd, name, value, size);
}
static inline int fracas_set_attribute(int fd, const char *name, const void *value, unsigned long size) {
    return fsetxattr(fd, name, value, size, 0);
}
static inline int fracas_remove_attribute(int fd, const char *name) { return fremovexattr(fd, name); }
// Gives an open file the time of its last change.
static inline int fracas_set_modified(int fd, long seconds, long nanoseconds) {
    struct timespec times[2] = {{0, UTIME_OMIT}, {seconds, nanoseconds}};
    return futimens(fd, times);
}
#endif
