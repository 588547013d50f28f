/*
 * The driver of files: what is being uploaded. Bytes go to the page cache as they come, and the
 * kernel is told early to write them, so that the sync at the end of a large upload has little to do.
 */
#include "registry/storage/filesystem/filesystem-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"

enum { FLUSH_SIZE = 8 << 20 };

static int open_file(const struct filesystem *filesystem, const char *key, int flags)
{
    int fd = -ENOENT;

    for (int try = 0; fd == -ENOENT && try < 10; try++) {
        int r = try == 0 ? 0 : filesystem_make_parents(filesystem, key, NULL, NULL);

        if (r < 0)
            return r;
        fd = openat(filesystem->root_fd, key, flags | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
                    FILESYSTEM_FILE_MODE);
        if (fd < 0)
            fd = -errno;
    }
    return fd;
}

int filesystem_session_open(struct driver *driver, const char *key, struct driver_session **ret, uint64_t *ret_size,
                            struct error *err)
{
    struct filesystem *filesystem = (struct filesystem *)driver;
    CLEANUP_CLOSE int fd = open_file(filesystem, key, O_RDWR);
    struct filesystem_session *session;
    size_t size = strlen(key) + 1;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return filesystem_fail(filesystem, fd < 0 ? -fd : errno, "write", key, err);
    session = calloc(1, sizeof(*session) + size);
    if (!session)
        return error_set_oom(err);
    session->session.type = driver->type;
    session->filesystem = filesystem;
    session->fd = steal_fd(&fd);
    session->flushed = (uint64_t)st.st_size;
    memcpy(session->key, key, size);
    *ret = &session->session;
    *ret_size = (uint64_t)st.st_size;
    return 0;
}

static int write_at(int fd, uint64_t offset, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        data += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

int filesystem_session_append(struct driver_session *base, uint64_t offset, const void *data, size_t size,
                              struct error *err)
{
    struct filesystem_session *session = (struct filesystem_session *)base;
    int r = write_at(session->fd, offset, data, size);

    if (r < 0) {
        if (ftruncate(session->fd, (off_t)offset) < 0)
            r = -errno;
        return filesystem_fail(session->filesystem, -r, "write", session->key, err);
    }
    if (offset + size >= session->flushed + FLUSH_SIZE) {
        /* Only a hint: what goes wrong with it is found by the sync at the end. */
        (void)sync_file_range(session->fd, (off_t)session->flushed, FLUSH_SIZE, SYNC_FILE_RANGE_WRITE);
        session->flushed += FLUSH_SIZE;
    }
    return 0;
}

ssize_t filesystem_session_read(struct driver_session *base, uint64_t offset, void *ret_data, size_t size)
{
    return filesystem_pread(((const struct filesystem_session *)base)->fd, offset, ret_data, size);
}

void filesystem_session_close(struct driver_session *base)
{
    struct filesystem_session *session = (struct filesystem_session *)base;

    if (!session)
        return;
    close(session->fd);
    free(session);
}

int filesystem_note(struct driver *driver, const char *key, const void *data, size_t size, struct error *err)
{
    const struct filesystem *filesystem = (struct filesystem *)driver;
    CLEANUP_CLOSE int fd = open_file(filesystem, key, O_WRONLY | O_TRUNC);
    int r = fd < 0 ? fd : file_write_all(fd, data, size);

    return r < 0 ? filesystem_fail(filesystem, -r, "write", key, err) : 0;
}
