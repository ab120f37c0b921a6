// The file tree that a trial sees. The host's files are there to read; what is written to them goes into memory of the trial's own and
// ends with it. Only what the scenario lists is the host's own. /tmp, /var/tmp, /dev and /proc are the trial's; /sys is read-only.
// The old tree is detached, so that nothing of the host's lies beneath anything.
#define _GNU_SOURCE
#include "launch.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The new tree is put together here: the host's /dev/shm is a place that no trial ever sees.
#define BASE "/dev/shm"
#define ROOT BASE "/root"

static const struct options *options;
static int root = -1; // the new tree, once it is there

static void fail(const char *what, const char *path) {
    struct message m = {.kind = 'E', .status = errno};
    size_t length = strlen(path), most = sizeof m.text - strlen(what) - 4;
    snprintf(m.text, sizeof m.text, "%s '%s'", what, length > most ? path + length - most : path);
    send_message(options->socket, &m, 0, 0);
    _exit(1);
}

static int is_below(const char *path, const char *directory) {
    size_t length = strlen(directory);
    return !strncmp(path, directory, length) && (!path[length] || path[length] == '/');
}

static int find(const char *path) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    return syscall(SYS_openat2, (long)root, path, &how, sizeof how);
}

static void make(char *path, int is_directory) {
    int there = find(path);
    if (there >= 0) return (void)close(there);
    char *name = strrchr(path, '/');
    *name = 0;
    int parent = find(*path ? path : "/");
    *name++ = '/';
    if (is_directory) mkdirat(parent, name, 0755);
    else close(openat(parent, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    close(parent);
}

// A path of the new tree as one that leads there and nowhere else: a symbolic link on its way is followed within the tree. What is not
// there is made. One at a time is kept open.
static const char *place(const char *path, int is_directory) {
    static char found[64];
    static int kept = -1;
    char copy[PATH_MAX];
    if (kept >= 0) close(kept);
    kept = path ? find(path) : -1;
    if (!path) return 0;
    if (kept < 0) {
        snprintf(copy, sizeof copy, "%s", path);
        for (char *p = copy + 1, end = 1; end; p++) {
            end = *p;
            if (end && end != '/') continue;
            *p = 0;
            make(copy, end || is_directory);
            *p = end;
        }
        kept = find(path);
    }
    if (kept < 0) fail("make a place for", path);
    snprintf(found, sizeof found, "/proc/self/fd/%d", kept);
    return found;
}

static int set_read_only(const char *path) {
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    return syscall(SYS_mount_setattr, (long)AT_FDCWD, path, (long)AT_RECURSIVE, &attributes, sizeof attributes);
}

static void make_tmpfs(const char *path, mode_t mode) {
    char text[32];
    snprintf(text, sizeof text, "mode=%o", mode & 07777);
    if (mount("tmpfs", place(path, 1), "tmpfs", MS_NOSUID | MS_NODEV, text)) fail("mount a private", path);
}

// The host's own at `from` is what the trial has at `at`.
static void attach(const char *from, const char *at, int is_read_only) {
    struct stat s;
    if (stat(from, &s) || mount(from, place(at, S_ISDIR(s.st_mode)), 0, MS_BIND | MS_REC, 0)) fail("make visible", from);
    if (is_read_only && set_read_only(place(at, 1))) fail("make read-only", at);
}

static int is_temporary(const char *path) { return is_below(path, "/tmp") || is_below(path, "/var/tmp"); }

static int is_own(const char *path) {
    return is_below(path, "/proc") || is_below(path, "/sys") || is_below(path, "/dev") || is_temporary(path);
}

// The next mount of a list such as /proc/self/mountinfo: where it is, and whether it is read-only.
static int next_mount(FILE *list, char *path, int *is_read_only) {
    char line[3 * PATH_MAX], mode[8], *out = path, *dash;
    do {
        if (!list || !fgets(line, sizeof line, list)) return list ? fclose(list), 0 : 0;
        dash = strstr(line, " - ");
    } while (!dash || sscanf(line, "%*s %*s %*s %*s %4095s %2s", path, mode) != 2 || !strncmp(dash, " - autofs ", 10));
    for (char *in = path; *in; in++, out++) { // \040 is a space
        int code = 0;
        if (*in == '\\' && sscanf(in + 1, "%3o", &code) == 1) *out = code, in += 3;
        else *out = *in;
    }
    *out = 0;
    *is_read_only = !strcmp(mode, "ro");
    return 1;
}

// What of the host's directory belongs to one of the trial's own: whoever may not give that away may do with it what others may.
static mode_t give_away(const char *path, const struct stat *host) {
    mode_t mode = host->st_mode & 07777;
    if (chown(path, host->st_uid, host->st_gid)) mode = (mode & ~0700u) | (mode & 7u) << 6;
    chmod(path, mode);
    return mode;
}

// A private copy of a directory, in which only what is changed takes room. No mount below it is in it.
static int lay_copy(const char *path, const struct stat *host) {
    static int count;
    char text[2 * PATH_MAX + 200], lower[2 * PATH_MAX], upper[64], *out = lower;
    for (const char *in = path; *in && out < lower + sizeof lower - 2; in++) {
        if (strchr(",:\\", *in)) *out++ = '\\';
        *out++ = *in;
    }
    *out = 0;
    snprintf(upper, sizeof upper, BASE "/%d", count);
    snprintf(text, sizeof text, BASE "/w%d", count);
    if (mkdir(upper, 0755) || mkdir(text, 0755)) return -1;
    give_away(upper, host); // it is the copy's own root
    snprintf(text, sizeof text, "lowerdir=%s,upperdir=%s,workdir=" BASE "/w%d,%s", lower, upper, count++,
             options->user_namespace ? "userxattr" : "redirect_dir=on");
    return mount("overlay", root < 0 ? ROOT : place(path, 1), "overlay", 0, text);
}

static int has_mounts_below(const char *path) {
    char other[PATH_MAX];
    int is_read_only, found = 0;
    FILE *list = fopen("/proc/self/mountinfo", "re");
    while (next_mount(list, other, &is_read_only))
        if (strcmp(other, path) && (!path[1] || is_below(other, path))) found = 1;
    return found;
}

static void copy(const char *path);

// Where something is mounted below, an ordinary user is not let have a copy of the whole: so it is put together from copies of its parts.
static void copy_parts(const char *path, const struct stat *host) {
    char part[PATH_MAX], target[PATH_MAX];
    struct stat s;
    DIR *list = opendir(path);
    if (!list) return;
    for (struct dirent *entry; (entry = readdir(list));) {
        int length = snprintf(part, sizeof part, "%s/%s", path[1] ? path : "", entry->d_name);
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || length >= (int)sizeof part || lstat(part, &s)) continue;
        if (S_ISLNK(s.st_mode)) {
            ssize_t bytes = readlink(part, target, sizeof target - 1);
            int parent = find(path);
            target[bytes < 0 ? 0 : bytes] = 0;
            symlinkat(target, parent, entry->d_name);
            close(parent);
        } else if (is_own(part)) place(part, S_ISDIR(s.st_mode));
        else if (S_ISDIR(s.st_mode)) place(part, 1), copy(part);
        else attach(part, part, 1);
    }
    closedir(list);
    give_away(place(path, 1), host);
}

// What this kernel does not copy is read-only.
static void copy(const char *path) {
    struct stat s;
    if (stat(path, &s)) return; // hidden by another mount
    int is_in_parts = S_ISDIR(s.st_mode) && has_mounts_below(path), is_whole = root < 0;
    if (S_ISDIR(s.st_mode) && !(is_in_parts && options->user_namespace) && !lay_copy(path, &s)) return;
    if (is_whole && !is_in_parts && (mount(path, ROOT, 0, MS_BIND | MS_REC, 0) || set_read_only(ROOT))) fail("make visible", path);
    if (is_whole && is_in_parts && mount("tmpfs", ROOT, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755")) fail("mount", ROOT);
    if (is_whole) root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (is_in_parts) copy_parts(path, &s);
    else if (!is_whole) attach(path, path, 1);
}

// Containers of the host's may have mounted hundreds of file systems, which nothing in a trial needs.
static int is_containers(const char *path) {
    static const char *const places[] = {"/var/lib/docker", "/var/lib/containers", "/var/lib/containerd", "/var/lib/kubelet",
                                         "/run/docker", "/run/containerd", "/run/netns", "/run/user"};
    for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
        if (is_below(path, places[i])) return 1;
    return 0;
}

// Every mount of the host's but those that a trial has of its own; with `below`, those below a temporary path that stays visible.
static void copy_mounts(const char *below) {
    char path[PATH_MAX];
    int is_read_only;
    struct stat s;
    FILE *list = fopen("/proc/self/mountinfo", "re");
    while (next_mount(list, path, &is_read_only)) {
        if (!path[1] || is_containers(path) || (below ? !is_below(path, below) || !strcmp(path, below) : is_own(path)) || stat(path, &s)) continue;
        if (S_ISDIR(s.st_mode) && !is_read_only) copy(path);
        else attach(path, path, 1);
    }
}

static void make_devices(void) {
    static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty", "fuse", "net/tun"};
    static const char *const links[][2] = {
        {"pts/ptmx", "ptmx"}, {"/proc/self/fd", "fd"}, {"fd/0", "stdin"}, {"fd/1", "stdout"}, {"fd/2", "stderr"}};
    char path[64];
    make_tmpfs("/dev", 0755);
    for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++) {
        snprintf(path, sizeof path, "/dev/%s", devices[i]);
        if (!access(path, F_OK)) attach(path, path, 0);
    }
    mount("devpts", place("/dev/pts", 1), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
    make_tmpfs("/dev/shm", 01777);
    int dev = openat(root, "dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < sizeof links / sizeof *links; i++)
        if (symlinkat(links[i][0], dev, links[i][1])) fail("make the link", links[i][1]);
    close(dev);
}

// Files of the whole host's that root could write to whatever its capabilities are, for it owns them. The network's settings are
// the trial's own.
static void guard_kernel(void) {
    static const char *const paths[] = {"sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"};
    char path[64], from[160];
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        snprintf(path, sizeof path, "/proc/%s", paths[i]);
        snprintf(from, sizeof from, ROOT "%s", path);
        if (!access(from, F_OK)) attach(from, path, 1);
    }
    struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};
    attach(ROOT "/proc/sys/net", "/proc/sys/net", 0);
    if (syscall(SYS_mount_setattr, (long)AT_FDCWD, place("/proc/sys/net", 1), 0L, &writable, sizeof writable))
        fail("make writable", "/proc/sys/net");
    // Who has pid and mount namespaces of its own within the trial may mount a /proc only where a whole one is: here, out of reach.
    if (mount("proc", place("/tmp/proc", 1), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0)) fail("mount", "/proc");
    make_tmpfs("/tmp", 01777);
}

int lay_over(const struct options *o, int which, const char *at) {
    char text[9000];
    snprintf(text, sizeof text, "lowerdir=%s", o->overlay_lower[which]);
    return mount("overlay", at, "overlay", MS_RDONLY, text);
}

void set_up_mounts(const struct options *o) {
    options = o;
    if (mount("none", "/", 0, MS_REC | MS_PRIVATE, 0)) fail("make mounts private below", "/");
    if (mount("tmpfs", BASE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") || mkdir(ROOT, 0755)) fail("mount", BASE);
    copy("/");
    if (root < 0) root = open(ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
    copy_mounts(0);
    make_tmpfs("/tmp", 01777);
    // Where a program looks that finds no place in /tmp: as when its calls fail because Fracas is gone, and it has an instant left.
    struct stat s;
    if (!lstat("/var/tmp", &s) && S_ISDIR(s.st_mode)) make_tmpfs("/var/tmp", 01777);
    if (mount("proc", place("/proc", 1), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0)) fail("mount", "/proc");
    if (o->confines) guard_kernel();
    attach("/sys", "/sys", 1);
    if (!access("/sys/fs/cgroup", F_OK)) make_tmpfs("/sys/fs/cgroup", 0555), set_read_only(place("/sys/fs/cgroup", 1));
    make_devices();
    for (int i = 0; i < o->bind_count; i++)
        if (is_temporary(o->bind[i])) copy(o->bind[i]), copy_mounts(o->bind[i]);
    for (int i = 0; i < o->overlay_count; i++)
        if (lay_over(o, i, place(o->overlay_at[i], 1))) fail("lay the release over", o->overlay_at[i]);
    for (int i = 0; i < o->empty_count; i++) {
        if (stat(o->empty[i], &s)) s.st_mode = 0755, s.st_uid = getuid(), s.st_gid = getgid();
        make_tmpfs(o->empty[i], s.st_mode);
        if (getuid() == 0 && chown(place(o->empty[i], 1), s.st_uid, s.st_gid)) fail("make empty", o->empty[i]);
    }
    for (int i = 0; i < o->writable_count; i++) attach(o->writable[i], o->writable[i], 0);
    place(0, 0);
    close(root);
    if (chdir(ROOT) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
        fail("make the trial's tree its root", "/");
}
