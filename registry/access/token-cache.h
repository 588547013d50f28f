#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/secbuf.h"
#include "registry/access/authenticator.h"
#include "registry/access/keyed-digest.h"
#include "registry/access/scopes.h"

/*
 * Caches tokens whose signature was verified, so that a signature is verified once and not for each
 * request. Entries are found by a keyed digest of the token; the cache contains no token. Any
 * thread may call these functions.
 */
struct token_cache;

enum { TOKEN_USER_MAX = 255, TOKEN_STAMP_SIZE = AUTHENTICATOR_STAMP_SIZE }; /* bytes */

/* The content of a verified token. It does not change; its references are counted. */
struct verified_token {
    unsigned references;           /* atomic */
    char user[TOKEN_USER_MAX + 1]; /* "" for a client without a login */
    bool has_stamp;
    unsigned char
        stamp[TOKEN_STAMP_SIZE]; /* stamp of the user's credential when the token was verified */
    bool is_limited;             /* restricted to scopes; an identity token is not */
    struct scopes scopes;
    int64_t expires_s;   /* since 1970 */
    uint64_t generation; /* generation of the signing keys that verified it; 0: other keys */
};

struct verified_token *verified_token_ref(struct verified_token *token);
void verified_token_unref(struct verified_token *token); /* takes NULL */
void verified_token_unrefp(struct verified_token **token);

struct token_cache *token_cache_new(void);        /* NULL: out of memory */
void token_cache_free(struct token_cache *cache); /* takes NULL */

/*
 * Adds a token with a reference of the cache's own. May replace the least recently used token. Adds
 * nothing if memory is exhausted.
 */
void token_cache_add(struct token_cache *cache, const struct secbuf *text,
                     struct verified_token *token);

/*
 * Returns the token with a reference for the caller, or NULL if it is not cached. The token may
 * have expired.
 */
struct verified_token *token_cache_find(struct token_cache *cache, const struct secbuf *text);

/* Drops a token that is no longer valid. */
void token_cache_drop(struct token_cache *cache, const struct secbuf *text);
