#pragma once

#include "common/error.h"
#include "registry/access/oidc-rules.h"
#include "registry/access/token-cache.h"

/*
 * OpenID Connect tokens as passwords. A pipeline or workload logs in with the token from its
 * platform, so no secret must be stored for it. Nothing is fetched: the issuer's keys are in a
 * file. Any thread may call these functions.
 */
struct oidc;

/*
 * rules are borrowed. source is the path of the access file, for messages and for relative paths. 0
 * with *ret owned by the caller (oidc_close), or negative if a key file cannot be used; then err
 * begins with "SOURCE line N: ".
 */
int oidc_open(const struct oidc_rules *rules, const char *source,
              void (*warn)(void *context, const char *text), void *context, struct oidc **ret,
              struct error *err) MUST_USE;
void oidc_close(struct oidc *oidc); /* takes NULL */

/* The key files. */
size_t oidc_count_files(const struct oidc *oidc);
const char *oidc_get_file(const struct oidc *oidc, size_t index);

/*
 * Whether credentials may be such a token, to judge by the user name or the form of the password.
 */
bool oidc_may_be_token(const struct secbuf *user, const struct secbuf *password);

enum { OIDC_INVALID = 1, OIDC_WOULD_WAIT, OIDC_NO_TOKEN /* the password is not a token */ };

/*
 * Looks a token up in the cache. A user name that begins with "oidc+" must be the token's
 * principal; with any other name, the first line that matches decides. 0 with *ret
 * (verified_token_unref), or an outcome. For event threads.
 */
int oidc_look_up(struct oidc *oidc, const struct secbuf *user, const struct secbuf *password,
                 struct verified_token **ret) MUST_USE;

/*
 * Like oidc_look_up(), but verifies signatures, and reads files that have changed. 0, an outcome
 * other than OIDC_WOULD_WAIT, or -ENOMEM.
 */
int oidc_verify(struct oidc *oidc, const struct secbuf *user, const struct secbuf *password,
                struct verified_token **ret) MUST_USE;
