/*
 * Uploads. Bytes are written to the page cache as they arrive. The kernel is told early to write
 * them to disk, so that little is left for the sync at the end of a large upload. The claim is a
 * lock on the file, which the kernel releases when the process ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/monotonic.h"
#include "registry/storage/filesystem/filesystem-private.h"

enum { FLUSH_SIZE = 8 << 20, MAX_TRIES = 10 };

static int create_file(const struct filesystem *filesystem, const char *key)
{
    int fd = -ENOENT;

    for (int try = 0; fd == -ENOENT && try < MAX_TRIES; try++) {
        struct beneath_name name;
        CLEANUP_CLOSE int directory = filesystem_make_parent(filesystem, key, &name, NULL, NULL);

        if (directory < 0)
            return directory;
        fd = openat(directory, name.text, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    FILESYSTEM_FILE_MODE);
        fd = fd < 0 ? -errno : fd;
    }
    return fd;
}

/*
 * Checks that the open file is still the upload at key. The previous holder of the lock may have
 * published or discarded it.
 */
static int check_place(const struct filesystem *filesystem, const char *key, int fd)
{
    struct stat here, there;
    int r = beneath_stat(filesystem->root_fd, key, &there);

    if (r < 0)
        return r;
    if (fstat(fd, &here) < 0)
        return -errno;
    return here.st_dev == there.st_dev && here.st_ino == there.st_ino ? 0 : -ENOENT;
}

static int open_and_claim(const struct filesystem *filesystem, const char *key,
                          enum storage_upload_mode mode, unsigned patience_ms)
{
    CLEANUP_CLOSE int fd = -1;
    struct stat st;
    int r;

    fd = mode == STORAGE_UPLOAD_NEW ? create_file(filesystem, key)
                                    : beneath_open_regular(filesystem->root_fd, key, O_RDWR, &st);
    if (fd < 0)
        return fd;
    r = filesystem_lock(fd, LOCK_EX, monotonic_ms() + patience_ms);
    if (r == 0)
        r = check_place(filesystem, key, fd);
    return r < 0 ? r : steal_fd(&fd);
}

int filesystem_upload_open(struct storage *storage, const char *key, enum storage_upload_mode mode,
                           unsigned patience_ms, struct storage_upload **ret, struct error *err)
{
    struct filesystem *filesystem = (struct filesystem *)storage;
    CLEANUP_CLOSE int fd = open_and_claim(filesystem, key, mode, patience_ms);
    struct filesystem_upload *upload;
    size_t size = strlen(key) + 1;
    struct stat st;

    if (fd == -EAGAIN)
        return STORAGE_WOULD_WAIT;
    if (mode == STORAGE_UPLOAD_NEW && fd == -EEXIST)
        return STORAGE_CONFLICT;
    if (fd < 0 && filesystem_is_missing(-fd))
        return STORAGE_NOT_FOUND;
    if (fd < 0 || fstat(fd, &st) < 0)
        return filesystem_fail(filesystem, fd < 0 ? -fd : errno, "write", key, err);
    upload = calloc(1, sizeof(*upload) + size);
    if (!upload)
        return error_set_oom(err);
    upload->upload.functions = storage->functions;
    upload->filesystem = filesystem;
    upload->fd = steal_fd(&fd);
    upload->flushed = (uint64_t)st.st_size;
    memcpy(upload->key, key, size);
    *ret = &upload->upload;
    return 0;
}

bool filesystem_dates_uploads(const struct storage *storage)
{
    (void)storage;
    return false;
}

int filesystem_upload_head(struct storage *storage, const char *key, uint64_t *ret_size,
                           int64_t *ret_started_s, struct error *err)
{
    struct storage_object object;
    int r = filesystem_head(storage, key, STORAGE_MAY_WAIT, &object, err);

    if (r != 0)
        return r;
    *ret_size = object.size;
    *ret_started_s = 0;
    return 0;
}

int filesystem_upload_get_state(struct storage_upload *base, struct storage_upload_state *ret,
                                struct error *err)
{
    struct filesystem_upload *upload = (struct filesystem_upload *)base;
    struct stat st;

    if (fstat(upload->fd, &st) < 0)
        return filesystem_fail(upload->filesystem, errno, "look at", upload->key, err);
    *ret = (struct storage_upload_state){
        .size = (uint64_t)st.st_size,
        .version = {{(uint64_t)st.st_ino, (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec,
                     (uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_ctim.tv_sec,
                     (uint64_t)st.st_ctim.tv_nsec}},
    };
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

/* 0, -errno, or an outcome. */
static int check_append(int fd, uint64_t offset)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_nlink == 0) /* it was removed, for example by a purge */
        return STORAGE_CLAIM_LOST;
    return (uint64_t)st.st_size == offset ? 0 : STORAGE_WRONG_OFFSET;
}

int filesystem_upload_append(struct storage_upload *base, uint64_t offset, const void *data,
                             size_t size, struct error *err)
{
    struct filesystem_upload *upload = (struct filesystem_upload *)base;
    int r = check_append(upload->fd, offset);

    if (r == 0) {
        r = write_at(upload->fd, offset, data, size);
        if (r < 0 && ftruncate(upload->fd, (off_t)offset) < 0)
            r = -errno;
    }
    if (r != 0)
        return r < 0 ? filesystem_fail(upload->filesystem, -r, "write", upload->key, err) : r;
    if (offset + size >= upload->flushed + FLUSH_SIZE) {
        /* Only a hint; the sync reports failures. */
        (void)sync_file_range(upload->fd, (off_t)upload->flushed, FLUSH_SIZE,
                              SYNC_FILE_RANGE_WRITE);
        upload->flushed += FLUSH_SIZE;
    }
    return 0;
}

/* The bytes are already in the page cache. */
int filesystem_upload_keep(struct storage_upload *base, struct error *err)
{
    (void)base;
    (void)err;
    return 0;
}

ssize_t filesystem_upload_read(struct storage_upload *base, uint64_t offset, void *ret_data,
                               size_t size)
{
    return filesystem_pread(((const struct filesystem_upload *)base)->fd, offset, ret_data, size);
}

int filesystem_upload_discard(struct storage_upload *base, struct error *err)
{
    struct filesystem_upload *upload = (struct filesystem_upload *)base;
    struct beneath_name name;
    CLEANUP_CLOSE int directory =
        beneath_open_parent(upload->filesystem->root_fd, upload->key, &name);

    if (directory >= 0 && unlinkat(directory, name.text, 0) == 0)
        return 0;
    if (directory < 0 ? filesystem_is_missing(-directory) : errno == ENOENT)
        return 0;
    return filesystem_fail(upload->filesystem, directory < 0 ? -directory : errno, "remove",
                           upload->key, err);
}

bool filesystem_upload_would_wait(const struct storage_upload *upload, size_t size)
{
    (void)upload;
    (void)size;
    return false;
}

void filesystem_upload_close(struct storage_upload *base)
{
    struct filesystem_upload *upload = (struct filesystem_upload *)base;

    close(upload->fd);
    free(upload);
}
