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

enum { WHOLE_MAX = 1 << 20, TRIES = 5 /* without a byte in between */ };

struct s3_reader {
    struct storage_reader reader;
    struct s3 *s3;
    char *key; /* in the bucket */
    struct storage_object object;
    char *bytes; /* all of them, or NULL */

    pthread_mutex_t mutex;   /* protects the rest */
    struct s3_answer stream; /* no exchange: none is open */
    uint64_t position;       /* of the next byte in the stream */
    uint64_t wanted;         /* where a caller that must not wait could not read */
    int failure;             /* of the wait for that; 0: none */
    unsigned breaks;         /* of streams, since the last byte */
};

static struct s3 *s3_of(struct storage *storage)
{
    return (struct s3 *)storage;
}

/* Sends GET for an object. 0 with a stream of status 200, STORAGE_NOT_FOUND or negative. */
static int start_get(struct s3 *s3, const char *full, struct s3_answer *ret, struct error *err)
{
    const struct s3_request request = {.method = "GET", .key = full, .is_stream = true};
    struct s3_answer answer;
    int r = s3_call(s3->client, &request, &answer, err);

    if (r < 0)
        return r;
    if (answer.status == 200 && !s3_is_removed(&answer)) {
        *ret = answer;
        return 0;
    }
    r = answer.status == 404 || answer.status == 200 ? STORAGE_NOT_FOUND
                                                     : s3_answer_fail(&answer, &request, err);
    s3_answer_done(&answer);
    return r;
}

/* The whole body of a stream. 0 or negative; *ret is the caller's and has a NUL at its end. */
static int read_all(struct s3_answer *stream, size_t size, char **ret)
{
    CLEANUP_FREE char *bytes = malloc(size + 1);

    if (!bytes)
        return -ENOMEM;
    for (size_t at = 0; at < size;) {
        ssize_t n = s3_answer_read(stream, bytes + at, size - at);

        if (n <= 0)
            return n < 0 ? (int)n : -ECONNRESET;
        at += (size_t)n;
    }
    bytes[size] = '\0';
    *ret = steal_ptr(&bytes);
    return 0;
}

/*
 * A small object with its head, in one request; if the body is cut, once more from the start. A
 * larger one is left as a stream: then *ret_bytes is NULL. 0, STORAGE_NOT_FOUND or negative.
 */
static int get_small(struct s3 *s3, const char *key, const char *full, size_t limit,
                     struct s3_answer *ret_stream, struct storage_object *ret_object,
                     int64_t *ret_written_s, char **ret_bytes, struct error *err)
{
    int r = -ECONNRESET;

    *ret_bytes = NULL;
    for (int try = 0; try < TRIES && r < 0; try++) {
        r = start_get(s3, full, ret_stream, err);
        if (r != 0)
            return r;
        r = s3_read_head(ret_stream, key, ret_object, err);
        if (r == 0 && ret_written_s)
            r = s3_read_time(s3, ret_stream, key, ret_written_s, err);
        if (r == 0 && ret_object->size > limit)
            return 0;
        if (r == 0)
            r = read_all(ret_stream, ret_object->size, ret_bytes);
        s3_answer_done(ret_stream);
    }
    return r < 0 ? error_set_errno(err, -r, "cannot read %s", key) : 0;
}

static int get_object(struct s3 *s3, const char *key, size_t limit, char **ret_bytes,
                      struct storage_object *ret, int64_t *ret_written_s, struct error *err)
{
    CLEANUP_FREE char *full = s3_full_key(s3, key);
    CLEANUP(s3_answer_done) struct s3_answer stream = {0};
    struct storage_object object;
    char *bytes;
    int r;

    if (!full)
        return error_set_oom(err);
    r = get_small(s3, key, full, limit, &stream, &object, ret_written_s, &bytes, err);
    if (r != 0)
        return r;
    if (!bytes)
        return error_set(err, EFBIG, "%s has %" PRIu64 " bytes, more than %zu", key, object.size,
                         limit);
    *ret_bytes = bytes;
    *ret = object;
    return 0;
}

int s3_get_versioned(struct s3 *s3, const char *key, size_t limit, char **ret_bytes,
                     struct storage_object *ret, struct error *err)
{
    return get_object(s3, key, limit, ret_bytes, ret, NULL, err);
}

int s3_get_dated(struct s3 *s3, const char *key, size_t limit, char **ret_bytes,
                 struct storage_object *ret, int64_t *ret_written_s, struct error *err)
{
    return get_object(s3, key, limit, ret_bytes, ret, ret_written_s, err);
}

int s3_get(struct storage *storage, const char *key, size_t limit, enum storage_waiting waiting,
           char **ret_bytes, size_t *ret_size, struct error *err)
{
    struct storage_object object;
    int r;

    if (waiting == STORAGE_MUST_NOT_WAIT)
        return STORAGE_WOULD_WAIT;
    r = s3_get_versioned(s3_of(storage), key, limit, ret_bytes, &object, err);
    if (r == 0)
        *ret_size = object.size;
    return r;
}

/* --- readers --------------------------------------------------------------------------------- */

int s3_open_reader(struct storage *storage, const char *key, enum storage_waiting waiting,
                   struct storage_reader **ret, struct storage_object *ret_object,
                   struct error *err)
{
    struct s3 *s3 = s3_of(storage);
    struct s3_reader *reader;
    int r;

    if (waiting == STORAGE_MUST_NOT_WAIT)
        return STORAGE_WOULD_WAIT;
    reader = calloc(1, sizeof(*reader));
    if (!reader)
        return error_set_oom(err);
    reader->reader.functions = storage->functions;
    reader->s3 = s3;
    pthread_mutex_init(&reader->mutex, NULL);
    reader->key = s3_full_key(s3, key);
    r = reader->key ? get_small(s3, key, reader->key, WHOLE_MAX, &reader->stream, &reader->object,
                                NULL, &reader->bytes, err)
                    : error_set_oom(err);
    if (r != 0) {
        s3_reader_close(&reader->reader);
        return r;
    }
    *ret_object = reader->object;
    *ret = &reader->reader;
    return 0;
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

    s3_answer_done(&reader->stream);
    s3_format_match(reader->s3, &reader->object.version, match);
    snprintf(range, sizeof(range), "bytes=%" PRIu64 "-", offset);
    r = s3_call(reader->s3->client, &request, &reader->stream, NULL);
    if (r < 0)
        return r;
    reader->position = offset;
    if (reader->stream.status == 206)
        return 0;
    s3_answer_done(&reader->stream);
    return -ESTALE;
}

static ssize_t read_stream(struct s3_reader *reader, uint64_t offset, void *data, size_t size)
{
    ssize_t n = -ECONNRESET;

    for (int try = 0; try < TRIES && n == -ECONNRESET; try++) {
        int r = reader->stream.exchange && reader->position == offset
                    ? 0
                    : open_stream_at(reader, offset);

        if (r < 0)
            return r;
        n = s3_answer_read(&reader->stream, data, size);
        if (n == 0)
            n = -ECONNRESET; /* the object is longer */
        if (n < 0)
            s3_answer_done(&reader->stream);
        else
            reader->position += (uint64_t)n;
    }
    return n;
}

/* A stream that is not there, at another place or broken is opened by s3_reader_wait(). */
static ssize_t try_stream(struct s3_reader *reader, uint64_t offset, void *data, size_t size)
{
    ssize_t n;

    if (reader->failure < 0)
        return reader->failure;
    reader->wanted = offset;
    if (!reader->stream.exchange || reader->position != offset)
        return -EAGAIN;
    n = s3_answer_try(&reader->stream, data, size);
    if (n == -EAGAIN)
        return n;
    if (n > 0) {
        reader->position += (uint64_t)n;
        reader->breaks = 0;
        return n;
    }
    s3_answer_done(&reader->stream);
    if (++reader->breaks == TRIES)
        reader->failure = -ECONNRESET;
    return reader->failure < 0 ? reader->failure : -EAGAIN;
}

void s3_reader_wait(struct storage_reader *base)
{
    struct s3_reader *reader = (struct s3_reader *)base;

    pthread_mutex_lock(&reader->mutex);
    if (!reader->stream.exchange || reader->position != reader->wanted)
        reader->failure = open_stream_at(reader, reader->wanted);
    if (reader->failure == 0)
        s3_answer_await(&reader->stream);
    pthread_mutex_unlock(&reader->mutex);
}

ssize_t s3_reader_read(struct storage_reader *base, uint64_t offset, void *ret_data, size_t size,
                       enum storage_waiting waiting)
{
    struct s3_reader *reader = (struct s3_reader *)base;
    uint64_t rest = offset < reader->object.size ? reader->object.size - offset : 0;
    ssize_t n;

    if (size > rest)
        size = (size_t)rest;
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
    struct s3_reader *reader = (struct s3_reader *)base;

    s3_answer_done(&reader->stream);
    pthread_mutex_destroy(&reader->mutex);
    free(reader->bytes);
    free(reader->key);
    free(reader);
}
