/*
 * A token names its key in one of three ways: a chain of certificates, the key itself, or the key's
 * name. As in registry:2, a token that does not name its key is refused.
 */
#include "registry/access/external-tokens.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/access/key-file.h"
#include "registry/jwt/token.h"

struct external_tokens {
    char *service, *issuer;
    unsigned algorithms;
    struct watched_table *certificates, *key_set; /* either may be NULL */
    struct token_cache *cache;
};

/* --- keys ------------------------------------------------------------------------------- */

/* The tables in force; either may be NULL. */
struct trusted {
    struct key_table *certificates, *key_set;
};

static void trusted_done(struct trusted *trusted)
{
    key_table_unref(trusted->certificates);
    key_table_unref(trusted->key_set);
}

static void get_trusted(const struct external_tokens *external, struct trusted *ret)
{
    *ret = (struct trusted){
        .certificates = external->certificates ? key_file_get(external->certificates) : NULL,
        .key_set = external->key_set ? key_file_get(external->key_set) : NULL,
    };
}

/* The stamp changes when the keys change, so that the tokens of a removed key end at once. */
static void get_stamp(const struct trusted *trusted, unsigned char ret[TOKEN_STAMP_SIZE])
{
    const uint64_t ids[] = {trusted->certificates ? trusted->certificates->id : 0,
                            trusted->key_set ? trusted->key_set->id : 0};

    memcpy(ret, ids, sizeof(ids)); /* the rest of ret stays zero */
}

static bool is_current(const struct external_tokens *external)
{
    return (!external->certificates || watched_table_is_current(external->certificates)) &&
           (!external->key_set || watched_table_is_current(external->key_set));
}

static void refresh(const struct external_tokens *external)
{
    if (external->certificates)
        watched_table_refresh(external->certificates);
    if (external->key_set)
        watched_table_refresh(external->key_set);
}

int external_tokens_reload(struct external_tokens *external, struct error *err)
{
    int r = external->certificates ? watched_table_reload(external->certificates, err) : 0;

    return r == 0 && external->key_set ? watched_table_reload(external->key_set, err) : r;
}

/* --- verifying -------------------------------------------------------------------------- */

static int verify_chain(const struct external_tokens *external, const struct trusted *trusted,
                        struct jwt *jwt, const struct json *x5c)
{
    CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
    int r;

    if (!trusted->certificates)
        return JWT_KEY_UNKNOWN;
    r = jwt_chain_get_key(x5c, trusted->certificates->roots, &key);
    if (r != 0)
        return r < 0 ? r : JWT_KEY_UNKNOWN;
    return jwt_verify_with(jwt, key, external->algorithms);
}

static bool has_key(const struct key_table *table, const struct jwt_key *key)
{
    for (size_t i = 0; table && i < jwt_key_set_count(table->keys); i++)
        if (jwt_key_is_equal(jwt_key_set_get(table->keys, i), key))
            return true;
    return false;
}

/*
 * A key inside a token is trusted only if it is one of the configured keys, or if its certificate
 * chain leads to a configured authority.
 */
static int verify_embedded(const struct external_tokens *external, const struct trusted *trusted,
                           struct jwt *jwt, const struct json *jwk)
{
    CLEANUP(jwt_key_freep) struct jwt_key *key = NULL;
    const struct json *x5c = json_find(jwk, "x5c");
    const char *why;
    int r = jwt_key_from_jwk(jwk, &key, &why);

    if (r != 0)
        return r < 0 ? r : JWT_KEY_UNKNOWN;
    if (x5c)
        return verify_chain(external, trusted, jwt, x5c);
    if (!has_key(trusted->certificates, key) && !has_key(trusted->key_set, key))
        return JWT_KEY_UNKNOWN;
    return jwt_verify_with(jwt, key, external->algorithms);
}

static int verify_named(const struct external_tokens *external, const struct trusted *trusted,
                        struct jwt *jwt)
{
    int r = JWT_KEY_UNKNOWN;

    if (trusted->key_set)
        r = jwt_verify(jwt, trusted->key_set->keys, external->algorithms);
    if (r > 0 && trusted->certificates)
        r = jwt_verify(jwt, trusted->certificates->keys, external->algorithms);
    return r;
}

static int verify_signature(const struct external_tokens *external, const struct trusted *trusted,
                            struct jwt *jwt)
{
    const struct json *header = jwt_peek_header(jwt), *x5c = json_find(header, "x5c"),
                      *jwk = json_find(header, "jwk");

    if (x5c)
        return verify_chain(external, trusted, jwt, x5c);
    if (jwk)
        return verify_embedded(external, trusted, jwt, jwk);
    return jwt_peek_key_id(jwt) ? verify_named(external, trusted, jwt) : JWT_KEY_UNKNOWN;
}

/* A token without "access" permits only GET /v2/. */
static int read_claims(const struct jwt *jwt, struct verified_token *token)
{
    const struct json *claims = jwt_get_claims(jwt), *subject = json_find(claims, "sub"),
                      *access = json_find(claims, "access");
    const char *user = subject ? json_get_text(subject) : "";

    if (!user || strlen(user) > TOKEN_USER_MAX)
        return JWT_MALFORMED;
    snprintf(token->user, sizeof(token->user), "%s", user);
    if (!access || json_get_type(access) == JSON_NULL)
        return 0;
    return scopes_parse_claim(access, &token->scopes);
}

static int read_token(const struct external_tokens *external, const struct trusted *trusted,
                      const struct secbuf *text, struct verified_token *token)
{
    CLEANUP(jwt_freep) struct jwt *jwt = NULL;
    const struct jwt_expectation expected = {.issuer = external->issuer,
                                             .audience = external->service,
                                             .now_s = time(NULL),
                                             .leeway_s = JWT_LEEWAY_S};
    int r = jwt_parse((const char *)text->data, text->size, &jwt);

    if (r == 0)
        r = verify_signature(external, trusted, jwt);
    if (r == 0)
        r = jwt_check(jwt, &expected);
    if (r == 0)
        r = read_claims(jwt, token);
    if (r == 0)
        token->expires_s = jwt_get_expiry(jwt) + JWT_LEEWAY_S;
    return r == -ENOMEM ? r : r != 0 ? EXTERNAL_TOKENS_INVALID : 0;
}

int external_tokens_look_up(struct external_tokens *external, const struct secbuf *text,
                            struct verified_token **ret)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    CLEANUP(trusted_done) struct trusted trusted = {0};
    unsigned char stamp[TOKEN_STAMP_SIZE] = {0};

    if (text->size == 0 || text->size > JWT_SIZE_MAX)
        return EXTERNAL_TOKENS_INVALID;
    if (!is_current(external))
        return EXTERNAL_TOKENS_WOULD_WAIT;
    token = token_cache_find(external->cache, text);
    if (!token)
        return EXTERNAL_TOKENS_WOULD_WAIT;
    get_trusted(external, &trusted);
    get_stamp(&trusted, stamp);
    if (token->expires_s <= time(NULL) || memcmp(token->stamp, stamp, sizeof(stamp)) != 0) {
        token_cache_drop(external->cache, text);
        return EXTERNAL_TOKENS_WOULD_WAIT;
    }
    *ret = steal_ptr(&token);
    return 0;
}

int external_tokens_verify(struct external_tokens *external, const struct secbuf *text,
                           struct verified_token **ret)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;
    CLEANUP(trusted_done) struct trusted trusted = {0};
    int r;

    refresh(external);
    r = external_tokens_look_up(external, text, ret);
    if (r == 0)
        return 0;
    token = calloc(1, sizeof(*token));
    if (!token)
        return -ENOMEM;
    token->references = 1;
    token->is_limited = true;
    get_trusted(external, &trusted);
    get_stamp(&trusted, token->stamp);
    r = read_token(external, &trusted, text, token);
    if (r != 0)
        return r;
    token_cache_add(external->cache, text, token);
    *ret = steal_ptr(&token);
    return 0;
}

/* --- the beginning and the end ---------------------------------------------------------- */

static int open_files(struct external_tokens *external,
                      const struct external_tokens_options *options, struct error *err)
{
    int r = 0;

    if (options->certificates)
        r = key_file_open(options->certificates, KEY_FILE_CERTIFICATES, options->warn,
                          options->context, &external->certificates, err);
    if (r == 0 && options->key_set)
        r = key_file_open(options->key_set, KEY_FILE_JWKS, options->warn, options->context,
                          &external->key_set, err);
    return r;
}

static int find_algorithms(const struct external_tokens_options *options, unsigned *ret,
                           struct error *err)
{
    *ret = options->algorithm_count > 0 ? 0 : JWT_EVERY_ALGORITHM;
    for (size_t i = 0; i < options->algorithm_count; i++) {
        enum jwt_algorithm algorithm;

        if (jwt_algorithm_parse(options->algorithms[i], &algorithm) < 0)
            return error_set(
                err, ENOTSUP,
                "\"%s\" is not supported; supported are ES256, ES384, ES512, EdDSA, RS256, RS384, "
                "RS512, PS256, PS384 and PS512",
                options->algorithms[i]);
        *ret |= JWT_BIT(algorithm);
    }
    return 0;
}

int external_tokens_open(const struct external_tokens_options *options,
                         struct external_tokens **ret, struct error *err)
{
    struct external_tokens *external = calloc(1, sizeof(*external));
    int r;

    if (!external)
        return error_set_oom(err);
    external->service = strdup(options->service);
    external->issuer = strdup(options->issuer);
    external->cache = token_cache_new();
    r = external->service && external->issuer && external->cache ? 0 : error_set_oom(err);
    if (r == 0)
        r = find_algorithms(options, &external->algorithms, err);
    if (r == 0)
        r = open_files(external, options, err);
    if (r < 0) {
        external_tokens_close(external);
        return r;
    }
    *ret = external;
    return 0;
}

void external_tokens_close(struct external_tokens *external)
{
    if (!external)
        return;
    watched_table_close(external->certificates);
    watched_table_close(external->key_set);
    token_cache_free(external->cache);
    free(external->service);
    free(external->issuer);
    free(external);
}
