#pragma once

#include "common/error.h"
#include "registry/access/oidc-rules.h"
#include "registry/access/token-cache.h"

/*
 * OpenID Connect tokens as passwords: a pipeline or a workload logs in with the token that its
 * platform gives it, and no secret has to be kept for it. Nothing is fetched: the issuer's keys are
 * in a file. From any thread.
 */
struct oidc;

/*
 * rules are borrowed. source is the path of the access file, for messages and for relative paths. 0
 * with *ret owned by the caller (oidc_close), or negative: a file with keys cannot be used; err
 * begins with "SOURCE line N: ".
 */
int oidc_open(const struct oidc_rules *rules, const char *source,
              void (*warn)(void *context, const char *text), void *context, struct oidc **ret,
              struct error *err) MUST_USE;
void oidc_close(struct oidc *oidc); /* takes NULL */

/* The files with keys. */
size_t oidc_count_files(const struct oidc *oidc);
const char *oidc_get_file(const struct oidc *oidc, size_t index);

/* Whether credentials may be a token, so that it should be asked for: by the name of the user, or
 * by the password's form. */
bool oidc_may_be_token(const struct secbuf *user, const struct secbuf *password);

enum { OIDC_INVALID = 1, OIDC_WOULD_WAIT, OIDC_NO_TOKEN /* it is a password of another kind */ };

/*
 * The principal of a token, with a reference (verified_token_unref), as far as it is known from
 * memory. A user whose name begins with "oidc+" must be this principal; any other name means the
 * first line that matches. 0 or an outcome. For event threads.
 */
int oidc_look_up(struct oidc *oidc, const struct secbuf *user, const struct secbuf *password,
                 struct verified_token **ret) MUST_USE;

/* Likewise, but verifies signatures, and reads files that have changed. 0, an outcome other than
 * OIDC_WOULD_WAIT, or -ENOMEM. */
int oidc_verify(struct oidc *oidc, const struct secbuf *user, const struct secbuf *password,
                struct verified_token **ret) MUST_USE;
