#include "registry/storage/s3/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 4096 };

#define FIRST_LINE "registryd upload 1"
#define FORMAT \
    FIRST_LINE "\nid=%s\nparts=%u\nbase=%" PRIu64 "\ntail=%" PRIu64 \
               "\nstamp=%s\nholder=%s\nuntil=%" PRId64 "\nsealed=%d\n"

char *session_key(const char *key, const char *name)
{
    const char *slash = strrchr(key, '/');
    char *result;

    return asprintf(&result, "%.*s%s", slash ? (int)(slash + 1 - key) : 0, key, name) < 0 ? NULL
                                                                                          : result;
}

/* The value of a line "name=value", which ends at the newline. NULL if it is not the next one. */
static char *take_line(char **text, const char *name)
{
    size_t size = strlen(name);
    char *value = *text + size + 1, *end;

    if (strncmp(*text, name, size) != 0 || (*text)[size] != '=')
        return NULL;
    end = strchr(value, '\n');
    if (!end)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return value;
}

static bool take_text(char **text, const char *name, char *ret, size_t size)
{
    const char *value = take_line(text, name);

    if (!value || strlen(value) >= size)
        return false;
    memcpy(ret, value, strlen(value) + 1);
    return true;
}

static bool take_number(char **text, const char *name, uint64_t most, uint64_t *ret)
{
    const char *value = take_line(text, name);
    char *end;

    if (!value || *value < '0' || *value > '9')
        return false;
    errno = 0;
    *ret = strtoull(value, &end, 10);
    return !errno && !*end && *ret <= most;
}

static bool parse(char *text, struct session *ret)
{
    uint64_t parts, until, sealed;

    if (strncmp(text, FIRST_LINE "\n", strlen(FIRST_LINE "\n")) != 0)
        return false;
    text += strlen(FIRST_LINE "\n");
    if (!take_text(&text, "id", ret->id, sizeof(ret->id)) ||
        !take_number(&text, "parts", 10000, &parts) ||
        !take_number(&text, "base", UINT64_MAX / 2, &ret->base) ||
        !take_number(&text, "tail", UINT64_MAX / 4, &ret->tail) ||
        !take_text(&text, "stamp", ret->stamp, sizeof(ret->stamp)) ||
        !take_text(&text, "holder", ret->holder, sizeof(ret->holder)) ||
        !take_number(&text, "until", INT64_MAX, &until) ||
        !take_number(&text, "sealed", 1, &sealed) || *text)
        return false;
    ret->parts = (unsigned)parts;
    ret->until_s = (int64_t)until;
    ret->is_sealed = sealed;
    return true;
}

int session_read(struct s3 *s3, const char *key, struct session *ret, struct error *err)
{
    CLEANUP_FREE char *state = session_key(key, "state"), *text = NULL;
    struct storage_object object;
    int r = state ? s3_get_versioned(s3, state, TEXT_MAX, &text, &object, err) : error_set_oom(err);

    if (r != 0)
        return r;
    *ret = (struct session){.version = object.version};
    return parse(text, ret) ? 0
                            : error_set(err, EBADMSG, "%s is not the state of an upload", state);
}

int session_write(struct s3 *s3, const char *key, struct session *session, bool is_new,
                  struct error *err)
{
    CLEANUP_FREE char *state = session_key(key, "state"), *text = NULL;
    struct storage_step step = {.kind = STORAGE_PUT,
                                .key = state,
                                .condition = is_new ? STORAGE_IF_ABSENT : STORAGE_IF_UNCHANGED,
                                .version = session->version};

    if (!state ||
        asprintf(&text, FORMAT, session->id, session->parts, session->base, session->tail,
                 session->stamp, session->holder, session->until_s, session->is_sealed) < 0) {
        text = NULL;
        return error_set_oom(err);
    }
    step.data = text;
    step.size = strlen(text);
    return s3_put_versioned(s3, &step, &session->version, err);
}

int session_remove(struct s3 *s3, const char *key, const struct session *session, struct error *err)
{
    CLEANUP_FREE char *state = session_key(key, "state"), *tails = session_key(key, "tail-");
    const struct s3_pair query = {"uploadId", session->id};
    CLEANUP_FREE char *full = s3_full_key(s3, key);
    int r;

    if (!state || !tails || !full)
        return error_set_oom(err);
    r = s3_delete(s3, state, err);
    if (r == 0 && *session->id && !session->is_sealed) {
        CLEANUP(s3_answer_done) struct s3_answer answer = {0};
        const struct s3_request request = {
            .method = "DELETE", .key = full, .query = &query, .query_count = 1};

        r = s3_call(s3->client, &request, &answer, err);
    }
    if (r == 0 && session->is_sealed)
        r = s3_delete(s3, key, err);
    return r == 0 ? s3_delete_below(s3, tails, err) : r;
}
