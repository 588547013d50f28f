#pragma once

#include "common/error.h"
#include "registry/access/identity-tokens.h"
#include "registry/access/scopes.h"
#include "registry/access/token-cache.h"
#include "registry/storage/storage.h"

/*
 * registryd's own tokens (docs/tokens.md): signs and verifies access tokens, and issues and checks
 * identity tokens. Any thread may call these functions.
 */
struct tokens;

enum { TOKENS_LIFE_S = 300 }; /* life of an access token */

struct tokens_options {
    struct storage *storage; /* borrowed; has the keys and records */
    const char *service;     /* the audience of access tokens; copied */

    /*
     * Finds the stamp of a user's current credential, which changes with the password. Returns
     * false if there is no such user or the user has no credential. Does not wait.
     */
    bool (*find_stamp)(void *context, const char *user, unsigned char ret[TOKEN_STAMP_SIZE]);
    void *context;
};

/*
 * Reads the keys, or creates them at the first start. 0 with *ret owned by the caller
 * (tokens_close), or negative.
 */
int tokens_open(const struct tokens_options *options, struct tokens **ret,
                struct error *err) MUST_USE;
void tokens_close(struct tokens *tokens); /* takes NULL */

const char *tokens_get_service(const struct tokens *tokens);

/* Like signing_keys_refresh(). */
int tokens_refresh(struct tokens *tokens, struct error *err) MUST_USE;

/* Like identity_tokens_prune(). */
int tokens_prune(struct tokens *tokens, int (*pace)(void *object, struct error *err), void *object,
                 size_t *ret_count, struct error *err) MUST_USE;

/* The content of a new access token; borrowed. */
struct token_grant {
    const char *user; /* "" for a client without a login */
    const struct scopes *scopes;
    const unsigned char *stamp; /* stamp of the credential that the client used; NULL: none */
    int64_t issued_s;           /* since 1970; tokens_now() */
};

int64_t tokens_now(const struct tokens *tokens);

enum tokens_outcome {
    TOKENS_INVALID = 1,
    TOKENS_WOULD_WAIT,    /* call tokens_verify() */
    TOKENS_NAME_UNUSABLE, /* the user's name is not valid UTF-8, so a token cannot contain it */
};

/*
 * Signs an access token and appends it to ret_token. 0, TOKENS_NAME_UNUSABLE or -ENOMEM. Takes a
 * tenth of a millisecond of CPU time.
 */
int tokens_issue(struct tokens *tokens, const struct token_grant *grant,
                 struct secbuf *ret_token) MUST_USE;

/*
 * All borrowed. client and address are shown to people. stamp is as in struct token_grant, but
 * required.
 */
struct token_login {
    const char *user, *client, *address;
    const unsigned char *stamp;
};

/*
 * Makes an identity token for a user, and appends it to ret_token. 0, TOKENS_NAME_UNUSABLE, or
 * negative. Waits for the storage.
 */
int tokens_log_in(struct tokens *tokens, const struct token_login *login, struct secbuf *ret_token,
                  struct error *err) MUST_USE;

/*
 * Ends an identity token, also for the cache of this process. 0, also if it is unknown or has
 * ended, or negative. Waits for the storage.
 */
int tokens_revoke(struct tokens *tokens, const struct secbuf *text, struct error *err) MUST_USE;

enum token_kind { TOKEN_ACCESS, TOKEN_IDENTITY };

/*
 * Looks a token up in the cache. 0 with *ret (verified_token_unref), TOKENS_INVALID or
 * TOKENS_WOULD_WAIT. For event threads.
 */
int tokens_look_up(struct tokens *tokens, enum token_kind kind, const struct secbuf *text,
                   struct verified_token **ret) MUST_USE;

/*
 * Verifies a token: the signature of an access token, unless it is cached; an identity token always
 * in the storage. address is the client's. 0 with *ret, TOKENS_INVALID, or negative.
 */
int tokens_verify(struct tokens *tokens, enum token_kind kind, const struct secbuf *text,
                  const char *address, struct verified_token **ret, struct error *err) MUST_USE;
