#include "registry/access/oidc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/access/key-file.h"
#include "registry/jwt/token.h"

enum { SHORTEST_TOKEN = 60 };

/* A key file, which several rules may name. */
struct keys {
    char *path;
    struct watched_table *file;
};

struct oidc {
    const struct oidc_rules *rules;
    struct keys *keys;
    size_t key_count;
    size_t *keys_of; /* for each rule, the index of its key file in keys */
    struct token_cache *cache;
};

/* --- opening ---------------------------------------------------------------------------- */

static char *make_path(const char *source, const char *path)
{
    const char *slash = strrchr(source, '/');
    char *joined = NULL;

    if (path[0] == '/' || !slash)
        return strdup(path);
    return asprintf(&joined, "%.*s%s", (int)(slash - source + 1), source, path) < 0 ? NULL : joined;
}

/*
 * Finds the key file with this path. Returns false, with the index of the first free place, if it
 * is not open.
 */
static bool find_keys(const struct oidc *oidc, const char *path, size_t *ret_index)
{
    for (*ret_index = 0; *ret_index < oidc->key_count; (*ret_index)++)
        if (strcmp(oidc->keys[*ret_index].path, path) == 0)
            return true;
    return false;
}

static int open_keys(struct oidc *oidc, size_t rule, const struct watched_table_options *options,
                     struct error *err)
{
    const char *source = options->path;
    CLEANUP_FREE char *path = make_path(source, oidc->rules->items[rule].jwks);
    struct keys *keys;
    int r;

    if (!path)
        return error_set_oom(err);
    if (find_keys(oidc, path, &oidc->keys_of[rule]))
        return 0;
    keys = &oidc->keys[oidc->key_count];
    r = key_file_open(path, KEY_FILE_JWKS, options->warn, options->context, &keys->file, err);
    if (r < 0)
        return error_wrap(err, "%s line %u", source, oidc->rules->items[rule].line);
    keys->path = steal_ptr(&path);
    oidc->key_count++;
    return 0;
}

static int open_all(struct oidc *oidc, const struct watched_table_options *options,
                    struct error *err)
{
    size_t count = oidc->rules->count;
    int r = 0;

    oidc->keys = calloc(count + 1, sizeof(*oidc->keys));
    oidc->keys_of = calloc(count + 1, sizeof(*oidc->keys_of));
    oidc->cache = token_cache_new();
    if (!oidc->keys || !oidc->keys_of || !oidc->cache)
        return error_set_oom(err);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = open_keys(oidc, i, options, err);
    return r;
}

int oidc_open(const struct oidc_rules *rules, const char *source,
              void (*warn)(void *context, const char *text), void *context, struct oidc **ret,
              struct error *err)
{
    const struct watched_table_options options = {.path = source, .warn = warn, .context = context};
    struct oidc *oidc = calloc(1, sizeof(*oidc));
    int r;

    if (!oidc)
        return error_set_oom(err);
    oidc->rules = rules;
    r = open_all(oidc, &options, err);
    if (r < 0) {
        oidc_close(oidc);
        return r;
    }
    *ret = oidc;
    return 0;
}

void oidc_close(struct oidc *oidc)
{
    if (!oidc)
        return;
    for (size_t i = 0; i < oidc->key_count; i++) {
        watched_table_close(oidc->keys[i].file);
        free(oidc->keys[i].path);
    }
    free(oidc->keys);
    free(oidc->keys_of);
    token_cache_free(oidc->cache);
    free(oidc);
}

size_t oidc_count_files(const struct oidc *oidc)
{
    return oidc->key_count;
}

const char *oidc_get_file(const struct oidc *oidc, size_t index)
{
    return oidc->keys[index].path;
}

/* --- credentials ------------------------------------------------------------------------ */

static bool is_named(const struct secbuf *user)
{
    size_t size = strlen(OIDC_PRINCIPAL_PREFIX);

    return user->size >= size && memcmp(user->data, OIDC_PRINCIPAL_PREFIX, size) == 0;
}

static bool is_this_user(const struct secbuf *user, const char *principal)
{
    return !is_named(user) ||
           (user->size == strlen(principal) && memcmp(user->data, principal, user->size) == 0);
}

/* A token begins with '{"', in base64url. */
bool oidc_may_be_token(const struct secbuf *user, const struct secbuf *password)
{
    static const char beginning[] = "eyJ";

    return is_named(user) || (password->size >= SHORTEST_TOKEN &&
                              memcmp(password->data, beginning, strlen(beginning)) == 0 &&
                              memchr(password->data, '.', password->size));
}

/* --- what is known ---------------------------------------------------------------------- */

/* The keys that verified a token. A cached token is valid only while these keys are in force. */
struct stamp {
    uint64_t keys, table;
};

static void put_stamp(struct verified_token *token, size_t keys, const struct key_table *table)
{
    const struct stamp stamp = {keys, table->id};

    memcpy(token->stamp, &stamp, sizeof(stamp));
}

static bool is_stamp_current(const struct oidc *oidc, const struct verified_token *token)
{
    CLEANUP(key_table_unrefp) struct key_table *table = NULL;
    struct stamp stamp;

    memcpy(&stamp, token->stamp, sizeof(stamp));
    if (!watched_table_is_current(oidc->keys[stamp.keys].file))
        return false;
    table = key_file_get(oidc->keys[stamp.keys].file);
    return table->id == stamp.table;
}

int oidc_look_up(struct oidc *oidc, const struct secbuf *user, const struct secbuf *password,
                 struct verified_token **ret)
{
    CLEANUP(verified_token_unrefp) struct verified_token *token = NULL;

    if (password->size == 0 || password->size > JWT_SIZE_MAX)
        return is_named(user) ? OIDC_INVALID : OIDC_NO_TOKEN;
    token = token_cache_find(oidc->cache, password);
    if (!token || !is_this_user(user, token->user) || token->expires_s <= time(NULL) ||
        !is_stamp_current(oidc, token))
        return OIDC_WOULD_WAIT;
    *ret = steal_ptr(&token);
    return 0;
}

/* --- verifying -------------------------------------------------------------------------- */

/*
 * A token that is compared with one rule after another. Rules with the same keys verify it only
 * once.
 */
struct trial {
    struct oidc *oidc;
    struct jwt *jwt;
    const struct secbuf *user;
    struct key_table *table; /* the table that verified the token; NULL: none yet */
    size_t keys;             /* the index of that table's file */
};

static int verify_signature(struct trial *trial, size_t keys)
{
    CLEANUP(key_table_unrefp) struct key_table *table = NULL;
    int r;

    if (trial->table && trial->keys == keys)
        return 0;
    key_table_unref(trial->table);
    trial->table = NULL;
    watched_table_refresh(trial->oidc->keys[keys].file);
    table = key_file_get(trial->oidc->keys[keys].file);
    r = jwt_verify(trial->jwt, table->keys, JWT_EVERY_ALGORITHM);
    if (r != 0)
        return r;
    trial->table = steal_ptr(&table);
    trial->keys = keys;
    return 0;
}

/* Returns 0 if the rule accepts the token, a positive value if not, or -ENOMEM. */
static int try_rule(struct trial *trial, size_t index)
{
    const struct oidc_rule *rule = &trial->oidc->rules->items[index];
    const char *issuer = jwt_peek_issuer(trial->jwt);
    const struct jwt_expectation expected = {.issuer = rule->issuer,
                                             .audience = rule->audience,
                                             .now_s = time(NULL),
                                             .leeway_s = JWT_LEEWAY_S};
    int r;

    if (!issuer || strcmp(issuer, rule->issuer) != 0 || !is_this_user(trial->user, rule->principal))
        return OIDC_INVALID;
    r = verify_signature(trial, trial->oidc->keys_of[index]);
    if (r == 0)
        r = jwt_check(trial->jwt, &expected);
    if (r != 0)
        return r;
    return oidc_rule_matches(rule, jwt_get_claims(trial->jwt)) ? 0 : OIDC_INVALID;
}

static int make_token(const struct trial *trial, const struct oidc_rule *rule,
                      struct verified_token **ret)
{
    struct verified_token *token = calloc(1, sizeof(*token));

    if (!token)
        return -ENOMEM;
    token->references = 1;
    snprintf(token->user, sizeof(token->user), "%s", rule->principal);
    token->expires_s = jwt_get_expiry(trial->jwt) + JWT_LEEWAY_S;
    put_stamp(token, trial->keys, trial->table);
    *ret = token;
    return 0;
}

static int try_rules(struct trial *trial, struct verified_token **ret)
{
    const struct oidc_rules *rules = trial->oidc->rules;

    for (size_t i = 0; i < rules->count; i++) {
        int r = try_rule(trial, i);

        if (r <= 0)
            return r < 0 ? r : make_token(trial, &rules->items[i], ret);
    }
    return OIDC_INVALID;
}

int oidc_verify(struct oidc *oidc, const struct secbuf *user, const struct secbuf *password,
                struct verified_token **ret)
{
    CLEANUP(jwt_freep) struct jwt *jwt = NULL;
    struct trial trial = {.oidc = oidc, .user = user};
    int r = oidc_look_up(oidc, user, password, ret);

    if (r != OIDC_WOULD_WAIT)
        return r;
    r = jwt_parse((const char *)password->data, password->size, &jwt);
    if (r != 0)
        return r < 0 ? r : is_named(user) ? OIDC_INVALID : OIDC_NO_TOKEN;
    trial.jwt = jwt;
    r = try_rules(&trial, ret);
    key_table_unref(trial.table);
    if (r == 0)
        token_cache_add(oidc->cache, password, *ret);
    return r;
}
