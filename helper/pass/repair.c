/*
 * A mode is set through a descriptor that was opened without following links, so a link that
 * replaces the name meanwhile has no effect. O_PATH also opens files that cannot be read, which are
 * often the ones to repair.
 */
#include "helper/pass/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/file.h"
#include "helper/pass/descend.h"

/* Whether it is the user's own file or directory, without another hard link. */
static int check_ownership(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISLNK(st.st_mode))
        return -ELOOP;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return -EINVAL;
    if (st.st_uid != geteuid())
        return -EPERM;
    return S_ISREG(st.st_mode) && st.st_nlink > 1 ? -EMLINK : 0;
}

/* Opens the path without following links. Returns the fd or -errno. */
static int open_in_place(const struct pass_store *store, const char *path, int flags)
{
    CLEANUP_CLOSE int parent_fd = -1, fd = -1;
    const char *leaf;
    int r;

    parent_fd = pass_descend(store->root_fd, path, false, &leaf);
    if (parent_fd < 0)
        return parent_fd;
    fd = openat(parent_fd, *leaf ? leaf : ".",
                flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = check_ownership(fd);
    return r < 0 ? r : steal_fd(&fd);
}

int pass_repair_check(const struct pass_store *store, const char *path)
{
    CLEANUP_CLOSE int fd = open_in_place(store, path, O_PATH);

    return fd < 0 ? fd : 0;
}

int pass_repair_mode(const struct pass_store *store, const char *path, mode_t mode)
{
    CLEANUP_CLOSE int fd = open_in_place(store, path, O_PATH);
    char opened[64];

    if (fd < 0)
        return fd;
    /* fchmod() refuses a descriptor made by O_PATH; its name in /proc leads to the same inode. */
    snprintf(opened, sizeof(opened), "/proc/self/fd/%d", fd);
    return chmod(opened, mode) < 0 ? -errno : 0;
}

int pass_repair_last_line(const struct pass_store *store, const char *path)
{
    CLEANUP_CLOSE int fd = open_in_place(store, path, O_WRONLY | O_APPEND);
    int r;

    if (fd < 0)
        return fd;
    r = file_write_all(fd, "\n", 1);
    return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

int pass_repair_leftover(const struct pass_store *store, const char *path, enum pass_leftover kind)
{
    CLEANUP_CLOSE int parent_fd = -1;
    const char *leaf;

    parent_fd = pass_descend(store->root_fd, path, false, &leaf);
    if (parent_fd < 0)
        return parent_fd;
    if (unlinkat(parent_fd, leaf, kind == PASS_LEFTOVER_DIRECTORY ? AT_REMOVEDIR : 0) < 0)
        return -errno;
    return file_sync_directory(parent_fd);
}
