#pragma once

#include "common/error.h"
#include "registry/access/token-cache.h"

/*
 * Access tokens of another server, as registry:2's `auth: token` accepts them. They are signed by a
 * key from a bundle of certificates or from a JSON Web Key Set, and the claim "access" has the
 * rights. Any thread may call these functions.
 */
struct external_tokens;

/* All borrowed; paths, service and issuer are copied. */
struct external_tokens_options {
    const char *service; /* the tokens' audience */
    const char *issuer;
    const char *certificates; /* a PEM file; NULL: none */
    const char *key_set;      /* a JSON Web Key Set; NULL: none. At least one of both is needed */
    const char *const *algorithms; /* "ES256"; NULL: all that are supported */
    size_t algorithm_count;
    void (*warn)(void *context, const char *text); /* one line for the operator; may be NULL */
    void *context;
};

/*
 * 0 with *ret owned by the caller (external_tokens_close), or negative: -ENOTSUP for an unknown
 * algorithm; other values if a file cannot be read.
 */
int external_tokens_open(const struct external_tokens_options *options,
                         struct external_tokens **ret, struct error *err) MUST_USE;
void external_tokens_close(struct external_tokens *external); /* takes NULL */

/* Reads the files now, for SIGHUP. 0, or negative; then the previous keys stay in force. */
int external_tokens_reload(struct external_tokens *external, struct error *err) MUST_USE;

enum { EXTERNAL_TOKENS_INVALID = 1, EXTERNAL_TOKENS_WOULD_WAIT };

/*
 * Looks a token up in the cache. 0 with *ret (verified_token_unref), or an outcome. For event
 * threads.
 */
int external_tokens_look_up(struct external_tokens *external, const struct secbuf *text,
                            struct verified_token **ret) MUST_USE;

/*
 * Like external_tokens_look_up(), but verifies the signature, and reads files that have changed. 0,
 * EXTERNAL_TOKENS_INVALID or -ENOMEM.
 */
int external_tokens_verify(struct external_tokens *external, const struct secbuf *text,
                           struct verified_token **ret) MUST_USE;
