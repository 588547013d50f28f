/*
 * The steps of a safe write. They are separate functions because callers create directories
 * between them: no directory may be created before the new content is on disk.
 */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

int file_write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Reads size bytes, or fewer at the end of the file. */
static ssize_t read_fully(int fd, char *buffer, size_t size)
{
    size_t total = 0;

    while (total < size) {
        ssize_t n = read(fd, buffer + total, size - total);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        total += (size_t)n;
    }
    return (ssize_t)total;
}

int file_read_all(int fd, size_t limit, char **ret_text, size_t *ret_size)
{
    CLEANUP_FREE char *text = malloc(limit + 1);
    ssize_t n;
    char extra;

    if (!text)
        return -ENOMEM;
    n = read_fully(fd, text, limit);
    if (n < 0)
        return (int)n;
    if ((size_t)n == limit && read_fully(fd, &extra, 1) != 0)
        return -EFBIG;
    text[n] = '\0';
    *ret_text = steal_ptr(&text);
    *ret_size = (size_t)n;
    return 0;
}

static int write_and_sync(int fd, mode_t mode, const void *data, size_t size)
{
    int r;

    if (mode != FILE_MODE_DEFAULT && fchmod(fd, mode & 07777) < 0)
        return -errno;
    r = file_write_all(fd, data, size);
    if (r < 0)
        return r;
    return fsync(fd) < 0 ? -errno : 0;
}

int file_write_temporary(int directory_fd, const char *name, mode_t mode, const void *data,
                         size_t size)
{
    int fd, r;

    fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                mode == FILE_MODE_DEFAULT ? 0666 : 0600);
    if (fd < 0)
        return -errno;
    r = write_and_sync(fd, mode, data, size);
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r < 0)
        unlinkat(directory_fd, name, 0);
    return r;
}

int file_write_temporary_leniently(int directory_fd, const char *name, mode_t mode,
                                   const void *data, size_t size)
{
    int r = file_write_temporary(directory_fd, name, mode, data, size);

    return r == -EPERM ? file_write_temporary(directory_fd, name, FILE_MODE_DEFAULT, data, size)
                       : r;
}

bool file_is_append_only(int fd)
{
    int flags = 0;

    return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & (FS_IMMUTABLE_FL | FS_APPEND_FL));
}

int file_sync_directory(int directory_fd)
{
    /* Some network file systems cannot sync a directory and return EINVAL. */
    return fsync(directory_fd) < 0 && errno != EINVAL ? -errno : 0;
}

int file_open_directory(int directory_fd, const char *path)
{
    int fd = openat(directory_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int file_open_real_directory(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int file_open_regular(int directory_fd, const char *path, struct stat *ret_stat)
{
    CLEANUP_CLOSE int fd = openat(directory_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ENXIO ? -EINVAL : -errno; /* a socket, or a device without a driver */
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    if (ret_stat)
        *ret_stat = st;
    return steal_fd(&fd);
}

/* The target of the link at path. A relative target starts at the link's directory. */
static char *join_target(const char *path, const char *target)
{
    const char *slash = strrchr(path, '/');
    int directory_size = *target == '/' || !slash ? 0 : (int)(slash + 1 - path);
    char *joined;

    return asprintf(&joined, "%.*s%s", directory_size, path, target) < 0 ? NULL : joined;
}

/* realpath() cannot be used, because the target may be missing. */
int file_follow_links(const char *path, char **ret)
{
    enum { MOST_LINKS = 40 };
    CLEANUP_FREE char *at = strdup(path);
    char target[PATH_MAX];

    for (int i = 0; at && i < MOST_LINKS; i++) {
        ssize_t size = readlink(at, target, sizeof(target) - 1);
        char *next;

        if (size < 0) {
            *ret = steal_ptr(&at);
            return 0;
        }
        target[size] = '\0';
        next = join_target(at, target);
        free(at);
        at = next;
    }
    return at ? -ELOOP : -ENOMEM;
}
