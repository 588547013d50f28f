/*
 * Readers of blobs when there is a disk cache: one reads a file of the cache, and goes on with the
 * bucket if the file cannot be read; the other reads from the bucket and fills the cache.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry/storage/s3/disk-cache.h"
#include "registry/storage/s3/s3-private.h"

#define BLOBS "blobs/sha256/"

enum { HEX_DIGITS = 64, PIECE = 64 << 10 };

struct copy_reader {
    struct storage_reader reader;
    struct s3 *s3;
    char *key;
    char hex[HEX_DIGITS + 1];
    uint64_t size;

    pthread_mutex_t mutex;         /* protects the rest */
    struct disk_cache_file *file;  /* NULL: the blob is read from the bucket */
    bool is_file_broken;           /* it could not be read, so the bucket is read from now on */
    struct storage_reader *bucket; /* NULL: not opened */
    int failure;                   /* to open it; 0: none */
    bool is_fill_wanted;           /* if the first byte is read */
    struct disk_cache_fill *fill;  /* NULL: none */
};

/* "blobs/sha256/ab/abcd.../data" */
static bool find_hex(const char *key, char ret_hex[HEX_DIGITS + 1])
{
    const char *hex = key + strlen(BLOBS "ab/");

    if (strncmp(key, BLOBS, strlen(BLOBS)) != 0 ||
        strlen(key) != strlen(BLOBS "ab/") + HEX_DIGITS + strlen("/data") ||
        strspn(hex, "0123456789abcdef") != HEX_DIGITS)
        return false;
    memcpy(ret_hex, hex, HEX_DIGITS);
    ret_hex[HEX_DIGITS] = '\0';
    return true;
}

static void copy_reader_close(struct storage_reader *base)
{
    struct copy_reader *reader = (struct copy_reader *)base;

    storage_reader_close(reader->bucket);
    disk_cache_close(reader->file);
    if (reader->fill)
        disk_cache_fill_end(reader->fill);
    pthread_mutex_destroy(&reader->mutex);
    free(reader->key);
    free(reader);
}

/* --- filling --------------------------------------------------------------------------------- */

/* With the mutex held. */
static void begin_fill(struct copy_reader *reader)
{
    reader->is_fill_wanted = false;
    reader->fill = disk_cache_fill_begin(reader->s3->options.cache, reader->hex, reader->size);
}

/*
 * Adds what a client reads, as long as it skips nothing. Bytes that are lent again were added
 * before. With the mutex held.
 */
static void fill(struct copy_reader *reader, uint64_t offset, const void *data, ssize_t n)
{
    uint64_t size, end;

    if (!reader->fill || n <= 0)
        return;
    size = disk_cache_fill_get_size(reader->fill);
    end = offset + (uint64_t)n;
    if (offset <= size && end > size)
        disk_cache_fill_write(reader->fill, (const char *)data + (size - offset),
                              (size_t)(end - size));
    if (offset > size || end == reader->size)
        disk_cache_fill_end(steal_ptr(&reader->fill));
}

/* A small blob is in memory, whichever part of it the client wants. */
static void fill_at_once(struct copy_reader *reader)
{
    char piece[PIECE];
    ssize_t n = 1;

    begin_fill(reader);
    for (uint64_t at = 0; reader->fill && n > 0; at += (uint64_t)n) {
        n = storage_reader_read(reader->bucket, at, piece, sizeof(piece));
        fill(reader, at, piece, n);
    }
    if (reader->fill) /* an empty blob, or a failure */
        disk_cache_fill_end(steal_ptr(&reader->fill));
}

/* --- reading --------------------------------------------------------------------------------- */

/* With the mutex held. 0 or -errno. */
static int open_bucket(struct copy_reader *reader)
{
    struct storage_object object;
    struct error err = {0};
    int r;

    if (reader->bucket || reader->failure < 0)
        return reader->failure;
    r = s3_open_reader(&reader->s3->storage, reader->key, STORAGE_MAY_WAIT, &reader->bucket,
                       &object, &err);
    if (r != 0 || object.size != reader->size)
        reader->failure = r < 0 ? r : -ESTALE;
    return reader->failure;
}

/* Whether the bytes come from the file. With the mutex held. */
static bool has_file(const struct copy_reader *reader)
{
    return reader->file && !reader->is_file_broken;
}

/* The number of bytes, or 0 if the file does not have them. With the mutex held. */
static ssize_t read_file(struct copy_reader *reader, uint64_t offset, void *data, size_t size)
{
    ssize_t n;

    do
        n = pread(reader->file->fd, data, size, (off_t)offset);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return n;
    reader->is_file_broken = true;
    disk_cache_distrust(reader->file);
    return 0;
}

/*
 * Whether the bucket can be read without waiting for something else. With the mutex held. 0,
 * -EAGAIN or -errno.
 */
static int is_bucket_ready(const struct copy_reader *reader, uint64_t offset)
{
    if (reader->bucket && !(reader->is_fill_wanted && offset == 0))
        return 0;
    return reader->failure < 0 ? reader->failure : -EAGAIN;
}

/* With the mutex held. As storage_reader_read(). */
static ssize_t read_bucket(struct copy_reader *reader, uint64_t offset, void *data, size_t size,
                           enum storage_waiting waiting)
{
    ssize_t n;
    int r = waiting == STORAGE_MUST_NOT_WAIT ? is_bucket_ready(reader, offset) : 0;

    if (r < 0)
        return r;
    r = open_bucket(reader);
    if (r < 0)
        return r;
    if (reader->is_fill_wanted && offset == 0)
        begin_fill(reader);
    reader->is_fill_wanted = false;
    n = s3_reader_read(reader->bucket, offset, data, size, waiting);
    fill(reader, offset, data, n);
    return n;
}

static ssize_t copy_reader_read(struct storage_reader *base, uint64_t offset, void *ret_data,
                                size_t size, enum storage_waiting waiting)
{
    struct copy_reader *reader = (struct copy_reader *)base;
    uint64_t rest = offset < reader->size ? reader->size - offset : 0;
    ssize_t n = 0;

    if (size > rest)
        size = (size_t)rest;
    if (size == 0)
        return 0;
    pthread_mutex_lock(&reader->mutex);
    if (has_file(reader))
        n = read_file(reader, offset, ret_data, size);
    if (n == 0)
        n = read_bucket(reader, offset, ret_data, size, waiting);
    pthread_mutex_unlock(&reader->mutex);
    return n;
}

/* Lends the bytes of the bucket. A file is sent by the kernel, or read. */
static ssize_t copy_reader_borrow(struct storage_reader *base, uint64_t offset, size_t size,
                                  const void **ret_data)
{
    struct copy_reader *reader = (struct copy_reader *)base;
    ssize_t n = -EOPNOTSUPP;

    pthread_mutex_lock(&reader->mutex);
    if (!has_file(reader))
        n = is_bucket_ready(reader, offset);
    if (n == 0) {
        reader->is_fill_wanted = false;
        n = s3_reader_borrow(reader->bucket, offset, size, ret_data);
        if (n > 0)
            fill(reader, offset, *ret_data, n);
    }
    pthread_mutex_unlock(&reader->mutex);
    return n;
}

/* A file that has to be opened, and a bucket, are waited for on a worker. */
static bool copy_reader_notify(struct storage_reader *base, storage_ready *ready, void *object)
{
    struct copy_reader *reader = (struct copy_reader *)base;
    bool can_notify;

    pthread_mutex_lock(&reader->mutex);
    can_notify = !has_file(reader) && reader->bucket && !reader->is_fill_wanted;
    can_notify = can_notify && s3_reader_notify(reader->bucket, ready, object);
    pthread_mutex_unlock(&reader->mutex);
    return can_notify;
}

/* Only a read of the first byte waits for the fill. */
static void copy_reader_wait(struct storage_reader *base)
{
    struct copy_reader *reader = (struct copy_reader *)base;
    bool was_open;

    pthread_mutex_lock(&reader->mutex);
    was_open = reader->bucket;
    if (reader->is_fill_wanted)
        begin_fill(reader);
    if (!has_file(reader) && open_bucket(reader) == 0 && was_open)
        s3_reader_wait(reader->bucket);
    pthread_mutex_unlock(&reader->mutex);
}

static int copy_reader_get_fd(struct storage_reader *base)
{
    struct copy_reader *reader = (struct copy_reader *)base;
    int fd;

    pthread_mutex_lock(&reader->mutex);
    fd = has_file(reader) ? reader->file->fd : -1;
    pthread_mutex_unlock(&reader->mutex);
    return fd;
}

/* --- opening --------------------------------------------------------------------------------- */

static const struct storage_functions functions = {
    .reader_read = copy_reader_read,
    .reader_wait = copy_reader_wait,
    .reader_notify = copy_reader_notify,
    .reader_borrow = copy_reader_borrow,
    .reader_get_fd = copy_reader_get_fd,
    .reader_close = copy_reader_close,
};

static struct copy_reader *make_reader(struct s3 *s3, const char *key, const char *hex)
{
    struct copy_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return NULL;
    reader->reader.functions = &functions;
    reader->s3 = s3;
    memcpy(reader->hex, hex, sizeof(reader->hex));
    pthread_mutex_init(&reader->mutex, NULL);
    reader->key = strdup(key);
    if (reader->key)
        return reader;
    copy_reader_close(&reader->reader);
    return NULL;
}

/* The bucket decides whether there is a blob that the cache does not have. */
static int open_missing(struct copy_reader *reader, enum disk_cache_outcome outcome,
                        struct storage_object *ret, struct error *err)
{
    int r = s3_open_reader(&reader->s3->storage, reader->key, STORAGE_MAY_WAIT, &reader->bucket,
                           ret, err);

    if (r != 0)
        return r;
    reader->size = ret->size;
    ret->is_verified = false;
    if (outcome == DISK_CACHE_MISS && ret->size <= S3_WHOLE_MAX)
        fill_at_once(reader);
    else
        reader->is_fill_wanted = outcome == DISK_CACHE_MISS;
    return 0;
}

/* The version is not that of the object in the bucket: core must not take that for verified. */
static void describe_file(const struct disk_cache_file *file, struct storage_object *ret)
{
    *ret = (struct storage_object){.size = file->size, .is_verified = true};
}

int s3_open_copy(struct storage *storage, const char *key, enum storage_waiting waiting,
                 struct storage_reader **ret, struct storage_object *ret_object, struct error *err)
{
    struct s3 *s3 = (struct s3 *)storage;
    enum disk_cache_outcome outcome;
    struct copy_reader *reader;
    char hex[HEX_DIGITS + 1];
    int r = 0;

    if (waiting == STORAGE_MUST_NOT_WAIT || !s3->options.cache || !find_hex(key, hex))
        return s3_open_reader(storage, key, waiting, ret, ret_object, err);
    reader = make_reader(s3, key, hex);
    if (!reader)
        return error_set_oom(err);
    outcome = disk_cache_open(s3->options.cache, hex, &reader->file);
    if (outcome == DISK_CACHE_HIT) {
        reader->size = reader->file->size;
        describe_file(reader->file, ret_object);
    } else {
        r = open_missing(reader, outcome, ret_object, err);
    }
    if (r != 0) {
        copy_reader_close(&reader->reader);
        return r;
    }
    *ret = &reader->reader;
    return 0;
}
