/*
 * Reading whole objects, with their heads, by one request each.
 */
#include "registry/storage/s3/s3-private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { TRIES = 5 /* if the body is cut */ };

struct s3_request s3_whole_get(const char *full)
{
    return (struct s3_request){.method = "GET", .key = full, .is_stream = true};
}

/*
 * Sends GET for an object, unless it was sent early. 0 with a stream of status 200,
 * STORAGE_NOT_FOUND or negative.
 */
static int start_get(struct s3 *s3, const char *full, struct s3_early *early, struct s3_answer *ret,
                     struct error *err)
{
    const struct s3_request request = s3_whole_get(full);
    struct s3_answer answer;
    int r = s3_early_take(s3->client, &request, early, &answer, err);

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

int s3_get_small(struct s3 *s3, const char *key, const char *full, size_t limit,
                 struct s3_early *early, struct s3_answer *ret_stream,
                 struct storage_object *ret_object, int64_t *ret_written_s, char **ret_bytes,
                 struct error *err)
{
    int r = -ECONNRESET;

    *ret_bytes = NULL;
    for (int try = 0; try < TRIES && r < 0; try++) {
        r = start_get(s3, full, early, ret_stream, err);
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
    struct s3_early none = {0};
    struct storage_object object;
    char *bytes;
    int r;

    if (!full)
        return error_set_oom(err);
    r = s3_get_small(s3, key, full, limit, &none, &stream, &object, ret_written_s, &bytes, err);
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
    r = s3_get_versioned((struct s3 *)storage, key, limit, ret_bytes, &object, err);
    if (r == 0)
        *ret_size = object.size;
    return r;
}
