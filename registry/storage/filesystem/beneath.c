#include "registry/storage/filesystem/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Set when openat2() turned out to be missing in the kernel; atomic. */
static bool is_lacking;

static int open_at_once(int root_fd, const char *path, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags,
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

/* --- without openat2() ------------------------------------------------------------------- */

/* For a symbolic link open() fails with ENOTDIR or ELOOP, depending on flags; we return -ELOOP. */
static int name_link(int directory_fd, const char *name, int r)
{
    struct stat st;

    if ((r == -ENOTDIR || r == -EMLINK) &&
        fstatat(directory_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
        return -ELOOP;
    return r;
}

static int open_component(int directory_fd, const char *name, int flags, mode_t mode)
{
    CLEANUP_CLOSE int fd = openat(directory_fd, name, flags | O_NOFOLLOW, mode);
    struct stat st;

    if (fd < 0)
        return name_link(directory_fd, name, -errno);
    /* With O_PATH, open() opens the link itself. */
    if ((flags & O_PATH) && (fstat(fd, &st) < 0 || S_ISLNK(st.st_mode)))
        return -ELOOP;
    return steal_fd(&fd);
}

static int open_by_component(int root_fd, const char *path, int flags, mode_t mode)
{
    CLEANUP_CLOSE int directory = -1;
    char name[NAME_MAX + 1];
    const char *slash;
    int at = root_fd;

    for (; (slash = strchr(path, '/')); path = slash + 1) {
        size_t size = (size_t)(slash - path);
        int fd;

        if (size >= sizeof(name))
            return -ENAMETOOLONG;
        memcpy(name, path, size);
        name[size] = '\0';
        if (strcmp(name, "..") == 0)
            return -EXDEV;
        fd = open_component(at, name, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
        if (fd < 0)
            return fd;
        if (directory >= 0)
            close(directory);
        at = directory = fd;
    }
    return strcmp(path, "..") == 0 ? -EXDEV : open_component(at, path, flags, mode);
}

void beneath_use_components(bool does)
{
    __atomic_store_n(&is_lacking, does, __ATOMIC_RELAXED);
}

/* --- for all ----------------------------------------------------------------------------- */

int beneath_open(int root_fd, const char *path, int flags, mode_t mode)
{
    int r;

    flags |= O_CLOEXEC;
    if (!(flags & O_PATH))
        flags |= O_NOCTTY;
    if (__atomic_load_n(&is_lacking, __ATOMIC_RELAXED))
        return open_by_component(root_fd, path, flags, mode);
    do
        r = open_at_once(root_fd, path, flags, mode);
    while (r == -EAGAIN || r == -EINTR);
    if (r == -ENOSYS)
        __atomic_store_n(&is_lacking, true, __ATOMIC_RELAXED);
    /* In sandboxes that do not know openat2(), it may fail with EPERM. */
    return r == -ENOSYS || r == -EPERM ? open_by_component(root_fd, path, flags, mode) : r;
}

/* Opens the directory of the first size bytes of path. */
static int open_directory(int root_fd, const char *path, size_t size)
{
    char copy[PATH_MAX];

    if (size >= sizeof(copy))
        return -ENAMETOOLONG;
    while (size > 0 && path[size - 1] == '/')
        size--;
    if (size == 0)
        return beneath_open(root_fd, ".", O_RDONLY | O_DIRECTORY, 0);
    memcpy(copy, path, size);
    copy[size] = '\0';
    return beneath_open(root_fd, copy, O_RDONLY | O_DIRECTORY, 0);
}

int beneath_open_directory(int root_fd, const char *path)
{
    return open_directory(root_fd, path, strlen(path));
}

size_t beneath_parent_size(const char *path, size_t size)
{
    while (size > 0 && path[size - 1] == '/') /* a prefix ends with it */
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    return size;
}

int beneath_open_parent(int root_fd, const char *path, struct beneath_name *ret_name)
{
    size_t end = strlen(path), start = beneath_parent_size(path, end);

    while (end > 0 && path[end - 1] == '/')
        end--;
    if (end - start >= sizeof(ret_name->text))
        return -ENAMETOOLONG;
    memcpy(ret_name->text, path + start, end - start);
    ret_name->text[end - start] = '\0';
    return open_directory(root_fd, path, start);
}

int beneath_open_regular(int root_fd, const char *path, int flags, struct stat *ret_stat)
{
    CLEANUP_CLOSE int fd = beneath_open(root_fd, path, flags | O_NONBLOCK, 0);

    if (fd < 0)
        return fd;
    if (fstat(fd, ret_stat) < 0)
        return -errno;
    if (S_ISDIR(ret_stat->st_mode))
        return -EISDIR;
    return S_ISREG(ret_stat->st_mode) ? steal_fd(&fd) : -ENXIO;
}

int beneath_stat(int root_fd, const char *path, struct stat *ret)
{
    CLEANUP_CLOSE int fd = beneath_open(root_fd, path, O_PATH, 0);

    if (fd < 0)
        return fd;
    return fstat(fd, ret) < 0 ? -errno : 0;
}
