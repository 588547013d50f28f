#include "registry/storage/s3/claim-wishes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WISHES "registryd/claims/wanted"

/* A wish counts as long as a request usually waits. */
enum { TEXT_MAX = 256 << 10, WISH_S = 20, TRIES_MAX = 3 };

struct wish {
    int64_t until_s;
    const char *key; /* borrowed */
    size_t key_size;
};

/* Parses the line at *at, and moves on. Returns whether there is one. */
static bool parse_wish(const char **at, struct wish *ret)
{
    int size;

    if (sscanf(*at, "%" SCNd64 " %n", &ret->until_s, &size) != 1)
        return false;
    ret->key = *at + size;
    ret->key_size = strcspn(ret->key, "\n");
    *at = ret->key + ret->key_size + strspn(ret->key + ret->key_size, "\n");
    return true;
}

static bool is_of(const struct wish *wish, const char *key)
{
    return strlen(key) == wish->key_size && memcmp(key, wish->key, wish->key_size) == 0;
}

void claim_wishes_done(struct claim_wishes *wishes)
{
    free(wishes->text);
}

bool claim_wishes_has(const struct claim_wishes *wishes, const char *key, int64_t now_s)
{
    struct wish wish;

    for (const char *at = wishes->text; at && parse_wish(&at, &wish);)
        if (wish.until_s > now_s && is_of(&wish, key))
            return true;
    return false;
}

/* *ret_version is that of the object. 0, STORAGE_NOT_FOUND or negative. */
static int read_object(struct s3 *s3, struct claim_wishes *ret, struct storage_version *ret_version,
                       struct error *err)
{
    struct storage_object object;
    int r = s3_get_versioned(s3, WISHES, TEXT_MAX, &ret->text, &object, err);

    if (r == 0)
        *ret_version = object.version;
    else
        ret->text = NULL;
    return r;
}

int claim_wishes_read(struct s3 *s3, struct claim_wishes *ret, struct error *err)
{
    struct storage_version version;
    int r = read_object(s3, ret, &version, err);

    return r < 0 ? r : 0;
}

/* The wishes that still count and the new one. */
static int format_wishes(const struct claim_wishes *wishes, const char *key, int64_t now_s,
                         char **ret_text, size_t *ret_size)
{
    FILE *out = open_memstream(ret_text, ret_size);
    struct wish wish;
    bool has_failed;

    if (!out)
        return -ENOMEM;
    for (const char *at = wishes->text; at && parse_wish(&at, &wish);)
        if (wish.until_s > now_s && !is_of(&wish, key))
            fprintf(out, "%" PRId64 " %.*s\n", wish.until_s, (int)wish.key_size, wish.key);
    fprintf(out, "%" PRId64 " %s\n", now_s + WISH_S, key);
    has_failed = ferror(out);
    return fclose(out) != 0 || has_failed ? -ENOMEM : 0;
}

/* 0, STORAGE_CONFLICT or negative. */
static int try_to_add(struct s3 *s3, const char *key, struct error *err)
{
    CLEANUP(claim_wishes_done) struct claim_wishes wishes = {0};
    CLEANUP_FREE char *text = NULL;
    struct storage_step step = {.kind = STORAGE_PUT, .key = WISHES, .condition = STORAGE_IF_ABSENT};
    int64_t now_s = storage_now(&s3->storage);
    int r = read_object(s3, &wishes, &step.version, err);

    if (r < 0 || (r == 0 && claim_wishes_has(&wishes, key, now_s + WISH_S / 2)))
        return r;
    if (r == 0)
        step.condition = STORAGE_IF_UNCHANGED;
    if (format_wishes(&wishes, key, now_s, &text, &step.size) < 0)
        return error_set_oom(err);
    step.data = text;
    return s3_put(s3, &step, err);
}

/* Others who add wishes at the same time are waited for, but not for long. */
int claim_wishes_add(struct s3 *s3, const char *key, struct error *err)
{
    int r = STORAGE_CONFLICT;

    for (int try = 0; r == STORAGE_CONFLICT && try < TRIES_MAX; try++)
        r = try_to_add(s3, key, err);
    return r < 0 ? r : 0;
}
