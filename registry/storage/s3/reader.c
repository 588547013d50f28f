/*
 * Reading objects. Small ones are read whole when they are opened. Larger ones are read in order
 * from one answer; a read elsewhere ends it and asks for the rest from there, if it is still the
 * same object.
 */
#include "registry/storage/s3/s3-private.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 5, /* of a stream, without a byte in between */
    BLOB_WHOLE_MAX = 64 << 10,
};

struct s3_reader {
    struct storage_reader reader;
    struct s3 *s3;
    char *key; /* in the bucket */
    struct storage_object object;
    char *bytes; /* all of them, or NULL */

    pthread_mutex_t mutex;   /* protects the rest */
    struct s3_answer stream; /* no exchange: none is open */
    uint64_t position;       /* of the next byte in the stream */
    size_t lent;             /* how many bytes were lent from there on */
    uint64_t wanted;         /* where a caller that must not wait could not read */
    int failure;             /* of the wait for that; 0: none */
    unsigned breaks;         /* of streams, since the last byte */
};

static struct s3 *s3_of(struct storage *storage)
{
    return (struct s3 *)storage;
}

/* Closes the stream; the next read opens one. */
static void close_stream(struct s3_reader *reader)
{
    s3_answer_done(&reader->stream);
    reader->lent = 0;
}

static void free_reader(struct s3_reader *reader)
{
    close_stream(reader);
    pthread_mutex_destroy(&reader->mutex);
    free(reader->bytes);
    free(reader->key);
    free(reader);
}

/* NULL: out of memory. */
static struct s3_reader *new_reader(struct s3 *s3, const char *key)
{
    struct s3_reader *reader = calloc(1, sizeof(*reader));

    if (!reader)
        return NULL;
    reader->reader.functions = s3->storage.functions;
    reader->s3 = s3;
    pthread_mutex_init(&reader->mutex, NULL);
    reader->key = s3_full_key(s3, key);
    if (reader->key)
        return reader;
    free_reader(reader);
    return NULL;
}

/* Takes ownership of reader. An object of up to whole_max bytes is read whole. */
static int open_reader(struct s3_reader *reader, const char *key, size_t whole_max,
                       struct s3_early *early, struct storage_reader **ret,
                       struct storage_object *ret_object, struct error *err)
{
    int r = s3_get_small(reader->s3, key, reader->key, whole_max, early, &reader->stream,
                         &reader->object, NULL, &reader->bytes, err);

    if (r != 0) {
        free_reader(reader);
        return r;
    }
    *ret_object = reader->object;
    *ret = &reader->reader;
    return 0;
}

int s3_open_reader(struct storage *storage, const char *key, enum storage_waiting waiting,
                   struct storage_reader **ret, struct storage_object *ret_object,
                   struct error *err)
{
    struct s3_reader *reader;
    struct s3_early none = {0};

    if (waiting == STORAGE_MUST_NOT_WAIT)
        return STORAGE_WOULD_WAIT;
    reader = new_reader(s3_of(storage), key);
    return reader ? open_reader(reader, key, S3_WHOLE_MAX, &none, ret, ret_object, err)
                  : error_set_oom(err);
}

/*
 * The object is a blob, which is never replaced, so its bytes are passed on while they come.
 *
 * Nothing that the store says about the object is waited for before the link is there, so a client
 * cannot find out whether an object exists to which it has no link.
 */
int s3_open_linked(struct storage *storage, const char *link, const char *key,
                   enum storage_waiting waiting, struct storage_object *ret_link,
                   struct storage_reader **ret, struct storage_object *ret_object,
                   struct error *err)
{
    struct s3 *s3 = s3_of(storage);
    struct s3_reader *reader;
    struct s3_request request;
    struct s3_early early;
    int r;

    if (waiting == STORAGE_MUST_NOT_WAIT)
        return STORAGE_WOULD_WAIT;
    if (s3->options.cache) { /* which probably has the bytes */
        r = s3_head(s3, link, ret_link, err);
        return r == 0 ? s3_open_copy(storage, key, waiting, ret, ret_object, err) : r;
    }
    reader = new_reader(s3, key);
    if (!reader)
        return error_set_oom(err);
    request = s3_whole_get(reader->key);
    s3_early_send(s3->client, &request, &early);
    r = s3_head(s3, link, ret_link, err);
    if (r == 0)
        return open_reader(reader, key, BLOB_WHOLE_MAX, &early, ret, ret_object, err);
    s3_early_drop(s3->client, &early);
    free_reader(reader);
    return r;
}

/* Asks for the bytes from an offset on. With the mutex held. 0 or -errno. */
static int open_stream_at(struct s3_reader *reader, uint64_t offset)
{
    char range[64], match[S3_ETAG_SIZE + 2];
    const struct s3_pair headers[] = {{"range", range}, {"if-match", match}};
    const struct s3_request request = {.method = "GET",
                                       .key = reader->key,
                                       .headers = headers,
                                       .header_count = 2,
                                       .is_stream = true};
    int r;

    close_stream(reader);
    s3_format_match(reader->s3, &reader->object.version, match);
    snprintf(range, sizeof(range), "bytes=%" PRIu64 "-", offset);
    r = s3_call(reader->s3->client, &request, &reader->stream, NULL);
    if (r < 0)
        return r;
    reader->position = offset;
    if (reader->stream.status == 206)
        return 0;
    close_stream(reader);
    return -ESTALE;
}

/* Whether the stream is at an offset, or only bytes that were lent lie before it. */
static bool is_stream_at(const struct s3_reader *reader, uint64_t offset)
{
    return reader->stream.exchange && offset >= reader->position &&
           offset - reader->position <= reader->lent;
}

/* Takes back what was lent before an offset. The stream must be there. */
static void return_lent(struct s3_reader *reader, uint64_t offset)
{
    const void *ignored;

    if (reader->lent > 0)
        (void)!s3_answer_borrow(&reader->stream, (size_t)(offset - reader->position), &ignored);
    reader->position = offset;
    reader->lent = 0;
}

static ssize_t read_stream(struct s3_reader *reader, uint64_t offset, void *data, size_t size)
{
    ssize_t n = -ECONNRESET;

    for (int try = 0; try < TRIES && n == -ECONNRESET; try++) {
        int r = is_stream_at(reader, offset) ? 0 : open_stream_at(reader, offset);

        if (r < 0)
            return r;
        return_lent(reader, offset);
        n = s3_answer_read(&reader->stream, data, size);
        if (n == 0)
            n = -ECONNRESET; /* the object is longer */
        if (n < 0)
            close_stream(reader);
        else
            reader->position += (uint64_t)n;
    }
    return n;
}

/*
 * Prepares a read without waiting. A stream that is not there, at another place or broken is opened
 * by s3_reader_wait(). 0, -EAGAIN or -errno.
 */
static int begin_try(struct s3_reader *reader, uint64_t offset)
{
    if (reader->failure < 0)
        return reader->failure;
    reader->wanted = offset;
    return is_stream_at(reader, offset) ? 0 : -EAGAIN;
}

/* Returns the result of a read without waiting that had n from the stream. */
static ssize_t end_try(struct s3_reader *reader, ssize_t n)
{
    if (n > 0)
        reader->breaks = 0;
    if (n > 0 || n == -EAGAIN)
        return n;
    close_stream(reader);
    if (++reader->breaks == TRIES)
        reader->failure = -ECONNRESET;
    return reader->failure < 0 ? reader->failure : -EAGAIN;
}

static ssize_t try_stream(struct s3_reader *reader, uint64_t offset, void *data, size_t size)
{
    ssize_t n = begin_try(reader, offset);

    if (n < 0)
        return n;
    return_lent(reader, offset);
    n = s3_answer_try(&reader->stream, data, size);
    if (n > 0)
        reader->position += (uint64_t)n;
    return end_try(reader, n);
}

static ssize_t borrow_stream(struct s3_reader *reader, uint64_t offset, size_t size,
                             const void **ret_data)
{
    ssize_t n = begin_try(reader, offset);

    if (n < 0)
        return n;
    n = s3_answer_borrow(&reader->stream, (size_t)(offset - reader->position), ret_data);
    reader->position = offset;
    reader->lent = n > 0 ? (size_t)n : 0;
    n = end_try(reader, n);
    return n > 0 && (size_t)n > size ? (ssize_t)size : n;
}

void s3_reader_wait(struct storage_reader *base)
{
    struct s3_reader *reader = (struct s3_reader *)base;

    pthread_mutex_lock(&reader->mutex);
    if (!is_stream_at(reader, reader->wanted))
        reader->failure = open_stream_at(reader, reader->wanted);
    if (reader->failure == 0)
        s3_answer_await(&reader->stream);
    pthread_mutex_unlock(&reader->mutex);
}

bool s3_reader_notify(struct storage_reader *base, storage_ready *ready, void *object)
{
    struct s3_reader *reader = (struct s3_reader *)base;
    bool is_open;

    pthread_mutex_lock(&reader->mutex);
    is_open = reader->failure == 0 && is_stream_at(reader, reader->wanted);
    if (is_open)
        s3_answer_notify(&reader->stream, ready, object);
    pthread_mutex_unlock(&reader->mutex);
    return is_open;
}

/* How many of size bytes the object has at an offset. */
static size_t limit_size(const struct s3_reader *reader, uint64_t offset, size_t size)
{
    uint64_t rest = offset < reader->object.size ? reader->object.size - offset : 0;

    return size < rest ? size : (size_t)rest;
}

ssize_t s3_reader_borrow(struct storage_reader *base, uint64_t offset, size_t size,
                         const void **ret_data)
{
    struct s3_reader *reader = (struct s3_reader *)base;
    ssize_t n;

    size = limit_size(reader, offset, size);
    if (size == 0)
        return 0;
    if (reader->bytes) {
        *ret_data = reader->bytes + offset;
        return (ssize_t)size;
    }
    pthread_mutex_lock(&reader->mutex);
    n = borrow_stream(reader, offset, size, ret_data);
    pthread_mutex_unlock(&reader->mutex);
    return n;
}

ssize_t s3_reader_read(struct storage_reader *base, uint64_t offset, void *ret_data, size_t size,
                       enum storage_waiting waiting)
{
    struct s3_reader *reader = (struct s3_reader *)base;
    ssize_t n;

    size = limit_size(reader, offset, size);
    if (size == 0)
        return 0;
    if (reader->bytes) {
        memcpy(ret_data, reader->bytes + offset, size);
        return (ssize_t)size;
    }
    pthread_mutex_lock(&reader->mutex);
    n = waiting == STORAGE_MAY_WAIT ? read_stream(reader, offset, ret_data, size)
                                    : try_stream(reader, offset, ret_data, size);
    pthread_mutex_unlock(&reader->mutex);
    return n;
}

int s3_reader_get_fd(struct storage_reader *reader)
{
    (void)reader;
    return -1;
}

void s3_reader_close(struct storage_reader *base)
{
    free_reader((struct s3_reader *)base);
}
