/*
 * The driver of files: reading. What is small is remembered as long as the file shows no change, and so are the names in
 * large folders, so that a second look costs one stat().
 */
#include "registry/storage/filesystem/filesystem-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "registry/storage/filesystem/content-cache.h"
#include "registry/storage/filesystem/folder-cache.h"

struct filesystem_reader {
    struct driver_reader reader;
    int fd;
};

/* What is not there is told from what cannot be reached. */
static bool is_missing(int code)
{
    return code == ENOENT || code == ENOTDIR;
}

int filesystem_stat(struct driver *driver, const char *key, struct driver_stat *ret, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    struct stat st;

    if (fstatat(filesystem->root_fd, key, &st, 0) < 0)
        return is_missing(errno) ? DRIVER_NOT_FOUND : filesystem_fail(filesystem, errno, "look at", key, err);
    *ret = (struct driver_stat){.size = (uint64_t)st.st_size, .modified_s = st.st_mtim.tv_sec,
                                .identity = filesystem_identify(&st)};
    return 0;
}

/* The descriptor, DRIVER_NOT_FOUND as -ENOENT, or -errno. */
static int open_content(const struct filesystem *filesystem, const char *key)
{
    int fd = openat(filesystem->root_fd, key, O_RDONLY | O_NOCTTY | O_CLOEXEC);

    return fd < 0 ? -(is_missing(errno) ? ENOENT : errno) : fd;
}

static int check_size(const struct stat *st, size_t limit)
{
    if (S_ISDIR(st->st_mode))
        return -EISDIR;
    return (uint64_t)st->st_size > limit ? -EFBIG : 0;
}

static int read_content(const struct filesystem *filesystem, const char *key, size_t limit, char **ret_bytes,
                        size_t *ret_size)
{
    CLEANUP_CLOSE int fd = open_content(filesystem, key);
    struct stat st;
    int r;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        return -errno;
    r = check_size(&st, limit);
    if (r == 0)
        r = file_read_all(fd, (size_t)st.st_size, ret_bytes, ret_size);
    if (r == 0 && filesystem->contents)
        content_cache_put(filesystem->contents, key, &st, *ret_bytes, *ret_size);
    return r;
}

/* 0 where the content is known and has not changed; -ENOENT where it is not there; other than that it is to be read. */
static int recall_content(const struct filesystem *filesystem, const char *key, size_t limit, char **ret_bytes,
                          size_t *ret_size)
{
    struct stat st;

    if (!filesystem->contents)
        return -ENOTSUP;
    if (fstatat(filesystem->root_fd, key, &st, 0) < 0)
        return is_missing(errno) ? -ENOENT : -errno;
    if (check_size(&st, limit) == 0 && content_cache_get(filesystem->contents, key, &st, ret_bytes, ret_size) == 0)
        return 0;
    return -EAGAIN;
}

int filesystem_read(struct driver *driver, const char *key, size_t limit, char **ret_bytes, size_t *ret_size,
                           struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    int r = recall_content(filesystem, key, limit, ret_bytes, ret_size);

    if (r < 0 && r != -ENOENT)
        r = read_content(filesystem, key, limit, ret_bytes, ret_size);
    if (r == -ENOENT)
        return DRIVER_NOT_FOUND;
    return r < 0 ? filesystem_fail(filesystem, -r, "read", key, err) : 0;
}

int filesystem_open_reader(struct driver *driver, const char *key, struct driver_reader **ret,
                                  struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    CLEANUP_CLOSE int fd = open_content(filesystem, key);
    struct filesystem_reader *reader;

    if (fd == -ENOENT)
        return DRIVER_NOT_FOUND;
    if (fd < 0)
        return filesystem_fail(filesystem, -fd, "read", key, err);
    reader = malloc(sizeof(*reader));
    if (!reader)
        return error_set_oom(err);
    reader->reader.type = driver->type;
    reader->fd = steal_fd(&fd);
    *ret = &reader->reader;
    return 0;
}

ssize_t filesystem_pread(int fd, uint64_t offset, void *ret_data, size_t size)
{
    ssize_t n;

    do
        n = pread(fd, ret_data, size, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t filesystem_reader_read(struct driver_reader *base, uint64_t offset, void *ret_data, size_t size)
{
    return filesystem_pread(((const struct filesystem_reader *)base)->fd, offset, ret_data, size);
}

int filesystem_reader_get_fd(struct driver_reader *reader)
{
    return ((struct filesystem_reader *)reader)->fd;
}

void filesystem_reader_close(struct driver_reader *base)
{
    struct filesystem_reader *reader = (struct filesystem_reader *)base;

    if (!reader)
        return;
    close(reader->fd);
    free(reader);
}

int filesystem_list(struct driver *driver, const char *key, struct folder_names *ret, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    CLEANUP_CLOSE int fd = file_open_folder(filesystem->root_fd, key);
    int r;

    if (fd < 0 && is_missing(-fd))
        return DRIVER_NOT_FOUND;
    r = fd < 0 ? fd : folder_names_read(fd, ret);
    return r < 0 ? filesystem_fail(filesystem, -r, "read", key, err) : 0;
}

/* Names that are read are kept; the first look at the folder is before that, so that what changes meanwhile is seen. */
static int list_page(const struct filesystem *filesystem, int fd, const char *key, const char *after, size_t n,
                     struct folder_names *ret)
{
    CLEANUP(folder_names_done) struct folder_names names = {0};
    struct stat st;
    int r;

    if (fstat(fd, &st) < 0)
        return -errno;
    r = filesystem->folders ? folder_cache_get(filesystem->folders, key, &st, after, n, ret) : -ENOENT;
    if (r != -ENOENT)
        return r;
    r = folder_names_read(fd, &names);
    if (r < 0)
        return r;
    if (filesystem->folders)
        folder_cache_put(filesystem->folders, key, &st, &names);
    folder_names_cut(&names, after, n);
    *ret = names;
    names = (struct folder_names){0};
    return 0;
}

int filesystem_list_after(struct driver *driver, const char *key, const char *after, size_t n,
                                 struct folder_names *ret, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    CLEANUP_CLOSE int fd = file_open_folder(filesystem->root_fd, key);
    int r;

    if (fd < 0 && is_missing(-fd))
        return DRIVER_NOT_FOUND;
    r = fd < 0 ? fd : list_page(filesystem, fd, key, after, n, ret);
    return r < 0 ? filesystem_fail(filesystem, -r, "read", key, err) : 0;
}
