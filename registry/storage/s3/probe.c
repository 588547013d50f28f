/* An ignored condition looks like success, so the store is tried before anything relies on it. */
#include "registry/storage/s3/s3-private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/random.h"

enum { KEY_SIZE = 64 };

static int check_bucket(struct s3 *s3, struct error *err)
{
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    const struct s3_request request = {.method = "HEAD", .key = ""};
    int r = s3_call(s3->client, &request, &answer, err);

    if (r < 0 || answer.status == 200)
        return r;
    return answer.status == 404 ? error_set(err, ENOENT, "there is no such bucket")
                                : s3_answer_fail(&answer, &request, err);
}

static struct storage_step step_of(const char *key, const char *text,
                                   enum storage_condition condition)
{
    return (struct storage_step){.kind = STORAGE_PUT,
                                 .key = key,
                                 .data = text,
                                 .size = strlen(text),
                                 .condition = condition};
}

/* Whether If-Match in this form replaces what it names, and nothing else. 0 or negative. */
static int try_form(struct s3 *s3, const char *key, enum s3_etag_form form, bool *ret_works,
                    struct error *err)
{
    struct storage_step step = step_of(key, "first", STORAGE_ALWAYS);
    struct storage_object object;
    int right = STORAGE_CONFLICT, wrong = 0, r = s3_put(s3, &step, err);

    s3->abilities.etag_form = form;
    if (r == 0)
        r = s3_head(s3, key, &object, err);
    if (r != 0)
        return r < 0 ? r : error_set(err, EIO, "an object that was put cannot be found");
    step = step_of(key, "second", STORAGE_IF_UNCHANGED);
    step.version = object.version;
    right = s3_put(s3, &step, err);
    if (right >= 0)
        wrong = s3_put(s3, &step, err); /* it has another version now */
    *ret_works = right == 0 && wrong == STORAGE_CONFLICT;
    return right < 0 ? right : wrong < 0 ? wrong : 0;
}

static int probe_if_match(struct s3 *s3, const char *key, struct error *err)
{
    bool works = false;
    int r = try_form(s3, key, S3_ETAG_QUOTED, &works, err);

    if (r == 0 && !works)
        r = try_form(s3, key, S3_ETAG_BARE, &works, err);
    if (r < 0 || works)
        return r;
    return error_set(err, ENOTSUP,
                     "the store ignores or refuses If-Match of PUT, without which "
                     "two servers could overwrite each other's tags");
}

/* The key exists. */
static int probe_if_none_match(struct s3 *s3, const char *key, struct error *err)
{
    const struct storage_step step = step_of(key, "third", STORAGE_IF_ABSENT);
    int r = s3_put(s3, &step, err);

    if (r < 0 || r == STORAGE_CONFLICT)
        return r < 0 ? r : 0;
    return error_set(err, ENOTSUP,
                     "the store ignores If-None-Match of PUT, without which two "
                     "servers could overwrite each other's objects");
}

/* The key exists. A condition that does not hold must keep it. */
static int probe_delete(struct s3 *s3, const char *key, struct error *err)
{
    CLEANUP_FREE char *full = s3_full_key(s3, key);
    CLEANUP(s3_answer_done) struct s3_answer answer = {0};
    const struct s3_pair header = {"if-match", "\"00000000000000000000000000000000\""};
    const struct s3_request request = {
        .method = "DELETE", .key = full, .headers = &header, .header_count = 1};
    struct storage_object object;
    int r = full ? s3_call(s3->client, &request, &answer, err) : error_set_oom(err);

    if (r == 0)
        r = s3_head(s3, key, &object, err);
    s3->abilities.keeps_delete_condition = r == 0 && answer.status == 412;
    return r < 0 ? r : 0;
}

int s3_probe(struct s3 *s3, struct error *err)
{
    char id[RANDOM_UUID_SIZE], key[KEY_SIZE];
    struct error ignored;
    int r;

    random_uuid(id);
    snprintf(key, sizeof(key), "registryd/probe/%s", id);
    r = check_bucket(s3, err);
    if (r < 0)
        return r;
    r = probe_if_match(s3, key, err);
    if (r == 0)
        r = probe_if_none_match(s3, key, err);
    if (r == 0)
        r = probe_delete(s3, key, err);
    (void)!s3_delete(s3, key, &ignored);
    return r;
}
