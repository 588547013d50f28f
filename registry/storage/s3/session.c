#include "registry/storage/s3/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/multipart.h"

/* What is not the tail. */
enum { TEXT_MAX = 4096 };

#define FIRST_LINE "registryd upload 2"
#define FORMAT \
    FIRST_LINE "\nid=%s\nparts=%u\nbase=%" PRIu64 "\nchain=%s\ntail=%" PRIu64 \
               "\nname=%s\nstamp=%s\nholder=%s\nuntil=%" PRId64 "\nstarted=%" PRId64 \
               "\nsealed=%d\n\n"

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

/* *ret_size: of the text, which the tail follows. */
static bool parse(char *text, struct session *ret, size_t *ret_size)
{
    uint64_t parts, until, started, sealed;
    char *at = text + strlen(FIRST_LINE "\n");

    if (strncmp(text, FIRST_LINE "\n", strlen(FIRST_LINE "\n")) != 0)
        return false;
    if (!take_text(&at, "id", ret->id, sizeof(ret->id)) ||
        !take_number(&at, "parts", 10000, &parts) ||
        !take_number(&at, "base", UINT64_MAX / 2, &ret->base) ||
        !take_text(&at, "chain", ret->chain, sizeof(ret->chain)) ||
        !take_number(&at, "tail", UINT64_MAX / 4, &ret->tail) ||
        !take_text(&at, "name", ret->tail_name, sizeof(ret->tail_name)) ||
        !take_text(&at, "stamp", ret->stamp, sizeof(ret->stamp)) ||
        !take_text(&at, "holder", ret->holder, sizeof(ret->holder)) ||
        !take_number(&at, "until", INT64_MAX, &until) ||
        !take_number(&at, "started", INT64_MAX, &started) ||
        !take_number(&at, "sealed", 1, &sealed) || *at != '\n')
        return false;
    ret->parts = (unsigned)parts;
    ret->until_s = (int64_t)until;
    ret->started_s = (int64_t)started;
    ret->is_sealed = sealed;
    *ret_size = (size_t)(at + 1 - text);
    return true;
}

/* bytes: the state object, which becomes the tail. */
static bool parse_object(char *bytes, size_t size, struct session *ret)
{
    size_t text_size, tail_size;

    if (!parse(bytes, ret, &text_size))
        return false;
    tail_size = size - text_size;
    if (tail_size != (*ret->tail_name ? 0 : ret->tail))
        return false;
    memmove(bytes, bytes + text_size, tail_size);
    return true;
}

int session_read(struct s3 *s3, const char *key, struct session *ret, char **ret_tail,
                 struct error *err)
{
    CLEANUP_FREE char *state = session_key(key, "state"), *bytes = NULL;
    struct storage_object object;
    int r = state ? s3_get_versioned(s3, state, TEXT_MAX + SESSION_INSIDE_MAX, &bytes, &object, err)
                  : error_set_oom(err);

    if (r != 0)
        return r;
    *ret = (struct session){.is_stored = true, .version = object.version};
    if (!parse_object(bytes, object.size, ret))
        return error_set(err, EBADMSG, "%s is not the state of an upload", state);
    *ret_tail = steal_ptr(&bytes);
    return 0;
}

int session_write(struct s3 *s3, const char *key, struct session *session, const char *tail,
                  struct error *err)
{
    CLEANUP_FREE char *state = session_key(key, "state"), *bytes = NULL;
    size_t tail_size = *session->tail_name ? 0 : (size_t)session->tail;
    struct storage_step step = {.kind = STORAGE_PUT,
                                .key = state,
                                .condition =
                                    session->is_stored ? STORAGE_IF_UNCHANGED : STORAGE_IF_ABSENT,
                                .version = session->version};
    int size, r;

    bytes = malloc(TEXT_MAX + tail_size);
    if (!state || !bytes)
        return error_set_oom(err);
    size = snprintf(bytes, TEXT_MAX, FORMAT, session->id, session->parts, session->base,
                    session->chain, session->tail, session->tail_name, session->stamp,
                    session->holder, session->until_s, session->started_s, session->is_sealed);
    if (tail_size > 0)
        memcpy(bytes + size, tail, tail_size);
    step.data = bytes;
    step.size = (size_t)size + tail_size;
    r = s3_put_versioned(s3, &step, &session->version, err);
    session->is_stored = session->is_stored || r == 0;
    return r;
}

/* --- parts ----------------------------------------------------------------------------------- */

/* XML and headers differ in the quotes. */
void session_chain(char chain[SESSION_CHAIN_SIZE], const char *etag)
{
    char text[SESSION_CHAIN_SIZE + S3_ETAG_SIZE + 2];
    struct digest digest;

    etag += *etag == '"';
    snprintf(text, sizeof(text), "%s %.*s", chain, (int)strcspn(etag, "\""), etag);
    (void)!digest_of(DIGEST_SHA256, text, strlen(text), &digest);
    memcpy(chain, digest.hex, SESSION_CHAIN_SIZE);
}

void session_add_part(struct session *session, const char *etag, uint64_t size)
{
    session_chain(session->chain, etag);
    session->parts++;
    session->base += size;
    session->tail = 0;
    session->tail_name[0] = '\0';
}

/* --- removing -------------------------------------------------------------------------------- */

bool session_is_single(const struct session *session)
{
    return !*session->id && !*session->tail_name;
}

/* After a crash in between, the state still says what there is, and the purge does it again. */
int session_remove(struct s3 *s3, const char *key, const struct session *session, struct error *err)
{
    CLEANUP_FREE char *state = session_key(key, "state"), *all = session_key(key, "");
    int r = *session->id ? multipart_abort(s3, key, session->id, err) : 0;

    if (r < 0)
        return r;
    if (!state || !all)
        return error_set_oom(err);
    if (!*all)
        return error_set(err, EINVAL, "%s is not the key of an upload", key);
    if (!session->is_stored)
        return 0;
    return session_is_single(session) ? s3_delete(s3, state, err) : s3_delete_below(s3, all, err);
}
