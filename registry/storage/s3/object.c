/*
 * Single objects: looking, putting under a condition, removing. A version is the ETag, which both
 * of the stores that are known compute from the bytes.
 */
#include "registry/storage/s3/s3-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/random.h"
#include "registry/storage/s3/http-date.h"

enum {
    TOMBSTONE_S = 30,            /* no writer replaces a younger one */
    TOMBSTONE_EXPIRES_S = 20,    /* its delete is refused by the store after that */
    TOMBSTONE_LOOK_MS = 100,
};

char *s3_full_key(const struct s3 *s3, const char *key)
{
    char *full;

    return asprintf(&full, "%s%s", s3->prefix, key) < 0 ? NULL : full;
}

bool s3_is_removed(const struct s3_answer *answer)
{
    return s3_answer_get_header(answer, S3_META_REMOVED);
}

/* --- versions -------------------------------------------------------------------------------- */

static int read_etag(const struct s3_answer *answer, struct storage_version *ret)
{
    const char *etag = s3_answer_get_header(answer, "etag");
    char text[S3_ETAG_SIZE] = "";
    size_t size;

    if (!etag)
        return -EBADMSG;
    size = strlen(etag);
    if (size > 2 && etag[0] == '"' && etag[size - 1] == '"') {
        etag++;
        size -= 2;
    }
    if (size == 0 || size >= sizeof(text))
        return -EBADMSG;
    memcpy(text, etag, size);
    memcpy(ret->words, text, sizeof(text));
    return 0;
}

void s3_format_match(const struct s3 *s3, const struct storage_version *version,
                     char ret[S3_ETAG_SIZE + 2])
{
    const char *quote = s3->abilities.etag_form == S3_ETAG_QUOTED ? "\"" : "";
    char text[S3_ETAG_SIZE];

    memcpy(text, version->words, sizeof(text));
    snprintf(ret, S3_ETAG_SIZE + 2, "%s%.*s%s", quote, (int)strnlen(text, sizeof(text) - 1), text,
             quote);
}

int s3_read_head(const struct s3_answer *answer, const char *key, struct storage_object *ret,
                 struct error *err)
{
    ret->is_verified = false;
    if (s3_answer_get_size(answer, "content-length", &ret->size) < 0)
        return error_set(err, EBADMSG, "the store gives %s no size", key);
    if (read_etag(answer, &ret->version) < 0)
        return error_set(err, EBADMSG, "the store gives %s no ETag of less than %d characters", key,
                         S3_ETAG_SIZE);
    return 0;
}

/* --- looking --------------------------------------------------------------------------------- */

/* 0 with an answer of 200 (free with s3_answer_done()), STORAGE_NOT_FOUND or negative. */
static int send_head(struct s3 *s3, const char *key, struct s3_answer *ret, struct error *err)
{
    CLEANUP_FREE char *full = s3_full_key(s3, key);
    const struct s3_request request = {.method = "HEAD", .key = full};
    int r;

    if (!full)
        return error_set_oom(err);
    r = s3_call(s3->client, &request, ret, err);
    if (r < 0)
        return r;
    if (ret->status == 200)
        return 0;
    r = ret->status == 404 ? STORAGE_NOT_FOUND : s3_answer_fail(ret, &request, err);
    s3_answer_done(ret);
    return r;
}

int s3_head(struct s3 *s3, const char *key, struct storage_object *ret, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    int r = send_head(s3, key, &answer, err);

    if (r != 0)
        return r;
    return s3_is_removed(&answer) ? STORAGE_NOT_FOUND : s3_read_head(&answer, key, ret, err);
}

int s3_read_time(const struct s3 *s3, const struct s3_answer *answer, const char *key,
                 int64_t *ret_s, struct error *err)
{
    const char *modified = s3_answer_get_header(answer, "last-modified");

    if (!modified || http_date_parse(modified, ret_s) < 0)
        return error_set(err, EBADMSG, "the store gives %s no time", key);
    *ret_s = s3_time_of(s3, *ret_s);
    return 0;
}

int s3_head_dated(struct s3 *s3, const char *key, struct storage_object *ret, int64_t *ret_s,
                  struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    int r = send_head(s3, key, &answer, err);

    if (r == 0 && s3_is_removed(&answer))
        return STORAGE_NOT_FOUND;
    if (r == 0)
        r = s3_read_head(&answer, key, ret, err);
    return r == 0 ? s3_read_time(s3, &answer, key, ret_s, err) : r;
}

/* --- putting --------------------------------------------------------------------------------- */

/* A PUT that knows itself again. */
struct putting {
    const struct storage_step *step;
    const char *removed; /* "1": what is put is a tombstone; NULL */
    char id[RANDOM_UUID_SIZE];
};

/* The condition of a step as a header. Returns whether there is one. */
static bool set_condition(const struct s3 *s3, const struct storage_step *step,
                          char text[S3_ETAG_SIZE + 2], struct s3_pair *ret)
{
    switch (step->condition) {
    case STORAGE_IF_ABSENT:
        *ret = (struct s3_pair){"if-none-match", "*"};
        return true;
    case STORAGE_IF_UNCHANGED:
        s3_format_match(s3, &step->version, text);
        *ret = (struct s3_pair){"if-match", text};
        return true;
    default:
        return false;
    }
}

static int send_put(struct s3 *s3, const struct putting *putting, struct s3_answer *ret,
                    struct error *err)
{
    const struct storage_step *step = putting->step;
    CLEANUP_FREE char *full = s3_full_key(s3, step->key);
    char match[S3_ETAG_SIZE + 2];
    struct s3_pair headers[3 + S3_OBJECT_HEADERS_MAX] = {{S3_META_WRITE, putting->id}};
    size_t count = 1;

    if (!full)
        return error_set_oom(err);
    if (set_condition(s3, step, match, &headers[count]))
        count++;
    if (putting->removed)
        headers[count++] = (struct s3_pair){S3_META_REMOVED, putting->removed};
    count = s3_add_headers(s3, headers, count);
    return s3_call(s3->client,
                   &(struct s3_request){.method = "PUT",
                                        .key = full,
                                        .headers = headers,
                                        .header_count = count,
                                        .body = step->size > 0 ? step->data : NULL,
                                        .body_size = step->size},
                   ret, err);
}

/* What stands at a key. */
struct present {
    struct storage_version version;
    bool is_ours;      /* it has the id of the write */
    bool is_tombstone; /* it counts as missing */
    bool is_old;       /* whoever left the tombstone is gone */
};

/*
 * A condition did not hold. Perhaps because an earlier try of the same request, whose answer was
 * lost, made the write: then the object has its id. (libcurl tries again by itself, too, if a
 * connection that was kept is closed.) 0, STORAGE_NOT_FOUND or negative.
 */
static int look_at_present(struct s3 *s3, const struct putting *putting, struct present *ret,
                           struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    const char *key = putting->step->key, *id;
    struct storage_object object;
    int64_t modified_s = 0;
    int r = send_head(s3, key, &answer, err);

    if (r == 0)
        r = s3_read_head(&answer, key, &object, err);
    if (r != 0)
        return r;
    id = s3_answer_get_header(&answer, S3_META_WRITE);
    *ret = (struct present){.version = object.version,
                            .is_ours = id && strcmp(id, putting->id) == 0,
                            .is_tombstone = s3_is_removed(&answer)};
    if (ret->is_tombstone)
        r = s3_read_time(s3, &answer, key, &modified_s, err);
    if (r < 0)
        return r;
    ret->is_old = s3_client_now(s3->client) > modified_s + TOMBSTONE_S;
    return 0;
}

/* 0, STORAGE_CONFLICT with what is there (nothing: *ret_is_there is false), or negative. */
static int put_once(struct s3 *s3, const struct storage_step *step, const char *removed,
                    bool *ret_is_there, struct present *ret, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    struct putting putting = {.step = step, .removed = removed};
    int r;

    random_uuid(putting.id);
    r = send_put(s3, &putting, &answer, err);
    if (r == 0 && answer.status == 200 && read_etag(&answer, &ret->version) < 0)
        r = error_set(err, EBADMSG, "the store gives %s no ETag", step->key);
    if (r < 0 || answer.status == 200)
        return r;
    if (answer.status != 412 && answer.status != 404)
        return s3_answer_fail(&answer, &(struct s3_request){.method = "PUT"}, err);
    r = look_at_present(s3, &putting, ret, err);
    *ret_is_there = r == 0;
    if (r < 0)
        return r;
    return r == 0 && ret->is_ours ? 0 : STORAGE_CONFLICT;
}

/* A tombstone at a key that should be empty is waited for, or replaced if it was left behind. */
static int put_if_absent(struct s3 *s3, const struct storage_step *step,
                         struct storage_version *ret_version, struct error *err)
{
    struct storage_step again = *step;

    for (;;) {
        struct present present;
        bool is_there;
        int r = put_once(s3, &again, NULL, &is_there, &present, err);

        if (r == 0)
            *ret_version = present.version;
        if (r != STORAGE_CONFLICT || (is_there && !present.is_tombstone))
            return r;
        again.condition = is_there && present.is_old ? STORAGE_IF_UNCHANGED : STORAGE_IF_ABSENT;
        again.version = present.version;
        if (is_there && !present.is_old)
            usleep(TOMBSTONE_LOOK_MS * 1000);
    }
}

/* Nothing has the version of no bytes. */
static bool is_of_nothing(const struct storage_step *step)
{
    return step->condition == STORAGE_IF_UNCHANGED &&
           storage_version_is_same(&step->version, &(struct storage_version){0});
}

int s3_put_versioned(struct s3 *s3, const struct storage_step *step,
                     struct storage_version *ret_version, struct error *err)
{
    struct present present;
    bool is_there;
    int r;

    if (step->condition == STORAGE_IF_ABSENT)
        return put_if_absent(s3, step, ret_version, err);
    r = is_of_nothing(step) ? STORAGE_CONFLICT : put_once(s3, step, NULL, &is_there, &present, err);
    if (r == 0)
        *ret_version = present.version;
    return r;
}

int s3_put(struct s3 *s3, const struct storage_step *step, struct error *err)
{
    struct storage_version version;

    return s3_put_versioned(s3, step, &version, err);
}

/* --- removing -------------------------------------------------------------------------------- */

static int send_delete(struct s3 *s3, const char *key, struct s3_request *request,
                       struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    CLEANUP_FREE char *full = s3_full_key(s3, key);
    int r;

    if (!full)
        return error_set_oom(err);
    request->method = "DELETE";
    request->key = full;
    r = s3_call(s3->client, request, &answer, err);
    if (r < 0 || answer.status == 204 || answer.status == 200 || answer.status == 404)
        return r;
    return answer.status == 412 ? STORAGE_CONFLICT : s3_answer_fail(&answer, request, err);
}

int s3_delete(struct s3 *s3, const char *key, struct error *err)
{
    struct s3_request request = {0};
    int r = send_delete(s3, key, &request, err);

    return r > 0 ? error_set(err, EIO, "the store refused to delete %s", key) : r;
}

int s3_delete_soon(struct s3 *s3, const char *key, int64_t now_s, struct error *err)
{
    struct s3_request request = {
        .deadline_ms = S3_SOON_S * 1000, .expires_s = S3_SOON_S, .signed_s = now_s - s3->shift_s};
    int r = send_delete(s3, key, &request, err);

    return r > 0 ? error_set(err, EIO, "the store refused to delete %s", key) : r;
}

/* The version is gone, or it is not the one. */
static int delete_if_match(struct s3 *s3, const char *key, const struct storage_version *version,
                           struct error *err)
{
    char match[S3_ETAG_SIZE + 2];
    struct s3_pair header = {"if-match", match};
    struct s3_request request = {.headers = &header, .header_count = 1};

    s3_format_match(s3, version, match);
    return send_delete(s3, key, &request, err);
}

/* The store ignores conditions of DELETE: see docs/storage-s3.md. */
static int delete_by_tombstone(struct s3 *s3, const char *key,
                               const struct storage_version *version, struct error *err)
{
    const struct storage_step step = {
        .kind = STORAGE_PUT, .key = key, .condition = STORAGE_IF_UNCHANGED, .version = *version};
    struct s3_request request = {.deadline_ms = TOMBSTONE_EXPIRES_S * 1000,
                                 .expires_s = TOMBSTONE_EXPIRES_S,
                                 .signed_s = s3_client_now(s3->client)};
    struct present present;
    struct error ignored;
    bool is_there;
    int r = put_once(s3, &step, "1", &is_there, &present, err);

    /* A tombstone that stays counts as nothing, too. */
    if (r == 0)
        (void)!send_delete(s3, key, &request, &ignored);
    return r;
}

int s3_remove_if_unchanged(struct storage *storage, const char *key,
                           const struct storage_version *version, struct error *err)
{
    struct s3 *s3 = (struct s3 *)storage;
    struct storage_object object;
    int r = s3_head(s3, key, &object, err);

    if (r != 0)
        return r;
    if (!storage_version_is_same(&object.version, version))
        return STORAGE_CONFLICT;
    return s3->abilities.keeps_delete_condition ? delete_if_match(s3, key, version, err)
                                                : delete_by_tombstone(s3, key, version, err);
}
