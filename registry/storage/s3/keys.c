#include "registry/storage/s3/keys.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The name becomes a part of the signature, where these characters have a meaning. */
static bool is_access_key(const char *access)
{
    for (const char *at = access; *at; at++)
        if (!isgraph((unsigned char)*at) || strchr("/,;=", *at))
            return false;
    return *access;
}

/* The token becomes a header. */
static bool is_token(struct piece token)
{
    for (size_t i = 0; i < token.size; i++)
        if (!isgraph((unsigned char)token.text[i]))
            return false;
    return true;
}

static int check_source(const struct keys_source *source, const char *access, struct error *err)
{
    if (!is_access_key(access))
        return error_set(err, EINVAL, "%s: invalid name of an access key", source->origin);
    if (source->secret.size == 0)
        return error_set(err, EINVAL, "%s: the access key has no secret key", source->origin);
    if (!is_token(source->token))
        return error_set(err, EINVAL, "%s: invalid session token", source->origin);
    return 0;
}

int keys_new(const struct keys_source *source, struct keys **ret, struct error *err)
{
    struct keys *keys = calloc(1, sizeof(*keys));
    int r;

    if (!keys)
        return error_set_oom(err);
    keys->users = 1;
    keys->expires_s = source->expires_s;
    keys->access = strndup(source->access.text, source->access.size);
    if (!keys->access ||
        secbuf_append(&keys->secret, source->secret.text, source->secret.size) < 0 ||
        secbuf_append(&keys->token, source->token.text, source->token.size) < 0)
        r = error_set_oom(err);
    else
        r = check_source(source, keys->access, err);
    if (r < 0) {
        keys_drop(keys);
        return r;
    }
    keys->parts = (struct s3_keys){keys->access, &keys->secret, &keys->token};
    *ret = keys;
    return 0;
}

struct keys *keys_use(struct keys *keys)
{
    __atomic_add_fetch(&keys->users, 1, __ATOMIC_RELAXED);
    return keys;
}

void keys_drop(struct keys *keys)
{
    if (!keys || __atomic_sub_fetch(&keys->users, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    secbuf_done(&keys->secret);
    secbuf_done(&keys->token);
    free(keys->access);
    free(keys);
}

bool keys_are_expired(const struct keys *keys)
{
    return keys->expires_s != 0 && time(NULL) >= keys->expires_s;
}

struct piece piece_trim(struct piece piece)
{
    while (piece.size > 0 && isspace((unsigned char)piece.text[0])) {
        piece.text++;
        piece.size--;
    }
    while (piece.size > 0 && isspace((unsigned char)piece.text[piece.size - 1]))
        piece.size--;
    return piece;
}
