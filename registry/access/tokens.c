#include "registry/access/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json-quote.h"
#include "common/json.h"
#include "common/random.h"
#include "common/same-bytes.h"
#include "common/utf8.h"
#include "registry/access/identity-record.h"
#include "registry/access/signing-keys.h"

#define ISSUER "registryd"

enum {
    CREDENTIAL_SIZE = 12, /* bytes of the claim "cred" */
    CREDENTIAL_DIGITS = 2 * CREDENTIAL_SIZE,
    CREDENTIAL_CLAIM_SIZE = CREDENTIAL_DIGITS + 16, /* with name and quotes */
    IDENTITY_LIFE_S = 60,                           /* how long a valid identity token is cached */
};

struct tokens {
    struct tokens_options options;
    char *service, *quoted_service;
    struct signing_keys *keys;
    struct identity_tokens *identities;
    struct token_cache *cache;
};

/* --- opening -------------------------------------------------------------------------------- */

static int set_up(struct tokens *tokens, const struct tokens_options *options, struct error *err)
{
    int r;

    tokens->options = *options;
    tokens->service = strdup(options->service);
    tokens->quoted_service = json_quote_new(options->service);
    tokens->cache = token_cache_new();
    if (!tokens->service || !tokens->quoted_service || !tokens->cache)
        return error_set_oom(err);
    r = signing_keys_open(options->storage, &tokens->keys, err);
    return r < 0 ? r : identity_tokens_open(options->storage, &tokens->identities, err);
}

int tokens_open(const struct tokens_options *options, struct tokens **ret, struct error *err)
{
    struct tokens *tokens = calloc(1, sizeof(*tokens));
    int r = tokens ? set_up(tokens, options, err) : error_set_oom(err);

    if (r < 0) {
        tokens_close(tokens);
        return error_wrap(
            err,
            "tokens need keys in the storage (auth.htpasswd.tokens: false switches tokens off)");
    }
    *ret = tokens;
    return 0;
}

void tokens_close(struct tokens *tokens)
{
    if (!tokens)
        return;
    token_cache_free(tokens->cache);
    identity_tokens_close(tokens->identities);
    signing_keys_close(tokens->keys);
    free(tokens->quoted_service);
    free(tokens->service);
    free(tokens);
}

const char *tokens_get_service(const struct tokens *tokens)
{
    return tokens->service;
}

int tokens_refresh(struct tokens *tokens, struct error *err)
{
    return signing_keys_refresh(tokens->keys, err);
}

int tokens_prune(struct tokens *tokens, int (*pace)(void *object, struct error *err), void *object,
                 size_t *ret_count, struct error *err)
{
    return identity_tokens_prune(tokens->identities, pace, object, ret_count, err);
}

int64_t tokens_now(const struct tokens *tokens)
{
    return storage_now(tokens->options.storage);
}

/* --- credentials ---------------------------------------------------------------------------- */

static bool find_stamp(const struct tokens *tokens, const char *user,
                       unsigned char ret[TOKEN_STAMP_SIZE])
{
    return tokens->options.find_stamp(tokens->options.context, user, ret);
}

/* Whether the user has the same password as when the token was verified. */
static bool is_stamp_current(const struct tokens *tokens, const struct verified_token *token)
{
    unsigned char stamp[TOKEN_STAMP_SIZE];

    return !token->has_stamp || (find_stamp(tokens, token->user, stamp) &&
                                 same_bytes(stamp, token->stamp, sizeof(stamp)));
}

/*
 * Finds the user's current credential and its stamp. 0, TOKENS_INVALID if there is none, or
 * -ENOMEM.
 */
static int find_credential(const struct tokens *tokens, const char *user,
                           unsigned char ret_stamp[TOKEN_STAMP_SIZE],
                           struct identity_credential *ret)
{
    if (!find_stamp(tokens, user, ret_stamp))
        return TOKENS_INVALID;
    return identity_tokens_get_credential(tokens->identities, ret_stamp, TOKEN_STAMP_SIZE, ret);
}

static bool is_valid_utf8(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = strlen(text);

    while (left > 0) {
        uint32_t code_point;
        size_t taken = utf8_decode(at, left, &code_point);

        if (code_point == UTF8_REPLACEMENT && taken == 1)
            return false;
        at += taken;
        left -= taken;
    }
    return true;
}

/* --- making --------------------------------------------------------------------------------- */

/*
 * Formats the claim "cred" with a comma before it; "" without a credential. It contains the
 * credential that the client has used. With the user's current credential, an old password could be
 * exchanged for a valid token if the password changes in between.
 */
static int format_credential(const struct tokens *tokens, const unsigned char *stamp,
                             char ret_text[CREDENTIAL_CLAIM_SIZE])
{
    struct identity_credential credential;
    char hex[CREDENTIAL_DIGITS + 1];

    ret_text[0] = '\0';
    if (!stamp)
        return 0;
    if (identity_tokens_get_credential(tokens->identities, stamp, TOKEN_STAMP_SIZE, &credential) <
        0)
        return -ENOMEM;
    identity_format_hex(credential.bytes, CREDENTIAL_SIZE, hex);
    snprintf(ret_text, CREDENTIAL_CLAIM_SIZE, ",\"cred\":\"%s\"", hex);
    return 0;
}

static char *format_claims(const struct tokens *tokens, const struct token_grant *grant)
{
    CLEANUP_FREE char *user = json_quote_new(grant->user);
    CLEANUP_FREE char *access = scopes_format(grant->scopes);
    char id[RANDOM_UUID_SIZE], credential[CREDENTIAL_CLAIM_SIZE], *claims;

    random_uuid(id);
    if (!user || !access || format_credential(tokens, grant->stamp, credential) < 0)
        return NULL;
    if (asprintf(&claims,
                 "{\"iss\":\"" ISSUER "\",\"aud\":%s,\"sub\":%s,\"iat\":%" PRId64
                 ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64 ",\"jti\":\"%s\"%s,\"access\":%s}",
                 tokens->quoted_service, user, grant->issued_s, grant->issued_s,
                 grant->issued_s + TOKENS_LIFE_S, id, credential, access) < 0)
        return NULL;
    return claims;
}

int tokens_issue(struct tokens *tokens, const struct token_grant *grant, struct secbuf *ret_token)
{
    CLEANUP_FREE char *claims = NULL;

    if (!is_valid_utf8(grant->user))
        return TOKENS_NAME_UNUSABLE;
    claims = format_claims(tokens, grant);
    return claims ? signing_keys_sign(tokens->keys, claims, strlen(claims), ret_token) : -ENOMEM;
}

int tokens_log_in(struct tokens *tokens, const struct token_login *login, struct secbuf *ret_token,
                  struct error *err)
{
    struct identity_record record = {0};

    if (!is_valid_utf8(login->user))
        return TOKENS_NAME_UNUSABLE;
    if (identity_tokens_get_credential(tokens->identities, login->stamp, TOKEN_STAMP_SIZE,
                                       &record.credential) < 0)
        return error_set_oom(err);
    snprintf(record.user, sizeof(record.user), "%s", login->user);
    snprintf(record.client, sizeof(record.client), "%s", login->client);
    snprintf(record.address, sizeof(record.address), "%s", login->address);
    return identity_tokens_create(tokens->identities, &record, ret_token, err);
}

int tokens_revoke(struct tokens *tokens, const struct secbuf *text, struct error *err)
{
    struct identity_record record;
    int r = identity_tokens_find(tokens->identities, text, &record, err);

    if (r == 0 || r == -EBADMSG) /* a damaged record can be removed, too */
        r = identity_tokens_revoke(tokens->identities, &record, err);
    if (r < 0)
        return r;
    token_cache_drop(tokens->cache, text);
    return 0;
}

/* --- verifying ------------------------------------------------------------------------------ */

int tokens_look_up(struct tokens *tokens, enum token_kind kind, const struct secbuf *text,
                   struct verified_token **ret)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;

    if (text->size == 0 || text->size > JWT_SIZE_MAX)
        return TOKENS_INVALID;
    token = token_cache_find(tokens->cache, text);
    if (!token || token->is_limited != (kind == TOKEN_ACCESS))
        return TOKENS_WOULD_WAIT;
    if (kind == TOKEN_ACCESS && token->generation != signing_keys_get_generation(tokens->keys))
        return TOKENS_WOULD_WAIT;
    if (token->expires_s < tokens_now(tokens) || !is_stamp_current(tokens, token)) {
        token_cache_drop(tokens->cache, text);
        return kind == TOKEN_ACCESS ? TOKENS_INVALID : TOKENS_WOULD_WAIT;
    }
    *ret = steal_ptr(&token);
    return 0;
}

static struct verified_token *new_token(const char *user)
{
    struct verified_token *token = calloc(1, sizeof(*token));

    if (!token)
        return NULL;
    token->references = 1;
    snprintf(token->user, sizeof(token->user), "%s", user);
    return token;
}

/* Compares the claim "cred" with the user's current credential. 0, TOKENS_INVALID or -ENOMEM. */
static int check_credential(const struct tokens *tokens, const char *claim,
                            struct verified_token *token)
{
    struct identity_credential credential;
    char hex[CREDENTIAL_DIGITS + 1];
    int r;

    if (!claim)
        return 0;
    r = find_credential(tokens, token->user, token->stamp, &credential);
    if (r != 0)
        return r;
    identity_format_hex(credential.bytes, CREDENTIAL_SIZE, hex);
    token->has_stamp = true;
    return strlen(claim) == strlen(hex) && same_bytes(claim, hex, strlen(hex)) ? 0 : TOKENS_INVALID;
}

static int read_claims(const struct tokens *tokens, const struct jwt *jwt,
                       struct verified_token **ret)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    const struct json *claims = jwt_get_claims(jwt);
    const char *user = json_get_text(json_find(claims, "sub"));
    int r;

    if (!user || strlen(user) > TOKEN_USER_MAX)
        return TOKENS_INVALID;
    token = new_token(user);
    if (!token)
        return -ENOMEM;
    token->is_limited = true;
    token->expires_s = jwt_get_expiry(jwt) + JWT_LEEWAY_S;
    r = scopes_parse_claim(json_find(claims, "access"), &token->scopes);
    if (r == 0)
        r = check_credential(tokens, json_get_text(json_find(claims, "cred")), token);
    if (r != 0)
        return r == -ENOMEM ? r : TOKENS_INVALID;
    *ret = steal_ptr(&token);
    return 0;
}

static int verify_access(struct tokens *tokens, const struct secbuf *text,
                         struct verified_token **ret)
{
    CLEANUP(jwt_freep) struct jwt *jwt = NULL;
    const struct jwt_expectation expected = {
        .issuer = ISSUER,
        .audience = tokens->service,
        .type = "JWT",
        .now_s = tokens_now(tokens),
        .leeway_s = JWT_LEEWAY_S,
    };
    uint64_t generation =
        signing_keys_get_generation(tokens->keys); /* read before the keys are used */
    int r = jwt_parse((const char *)text->data, text->size, &jwt);

    if (r == 0)
        r = signing_keys_verify(tokens->keys, jwt);
    if (r == 0)
        r = jwt_check(jwt, &expected);
    if (r != 0)
        return r < 0 ? r : TOKENS_INVALID;
    r = read_claims(tokens, jwt, ret);
    if (r == 0)
        (*ret)->generation = generation;
    return r;
}

static int verify_identity(struct tokens *tokens, const struct secbuf *text, const char *address,
                           struct verified_token **ret, struct error *err)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    struct identity_credential credential;
    struct identity_record record;
    int r = identity_tokens_find(tokens->identities, text, &record, err);

    if (r != 0)
        return r < 0 ? r : TOKENS_INVALID;
    token = new_token(record.user);
    if (!token)
        return error_set_oom(err);
    r = find_credential(tokens, record.user, token->stamp, &credential);
    if (r < 0)
        return error_set_oom(err);
    if (r > 0 || !same_bytes(credential.bytes, record.credential.bytes, sizeof(credential.bytes)))
        return TOKENS_INVALID;
    token->has_stamp = true;
    token->expires_s = tokens_now(tokens) + IDENTITY_LIFE_S;
    identity_tokens_note_use(tokens->identities, &record, address);
    *ret = steal_ptr(&token);
    return 0;
}

int tokens_verify(struct tokens *tokens, enum token_kind kind, const struct secbuf *text,
                  const char *address, struct verified_token **ret, struct error *err)
{
    int r = kind == TOKEN_ACCESS ? tokens_look_up(tokens, kind, text, ret) : TOKENS_WOULD_WAIT;

    if (r != TOKENS_WOULD_WAIT)
        return r;
    r = kind == TOKEN_ACCESS ? verify_access(tokens, text, ret)
                             : verify_identity(tokens, text, address, ret, err);
    if (r == 0)
        token_cache_add(tokens->cache, text, *ret);
    return r == -ENOMEM ? error_set_oom(err) : r;
}
