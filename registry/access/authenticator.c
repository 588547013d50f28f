/*
 * Checks names and passwords against the table of users, which registry/access/watched-table.h
 * keeps up to date, and the cache of verified passwords.
 *
 * The time of a refusal must not reveal whether a user exists. So each refusal does the work of the
 * highest cost in the file. A user whose hash has cost c adds runs of cost c, c+1, .. up to one
 * below the highest h: 2^c + (2^c + 2^(c+1) + .. + 2^(h-1)) = 2^h.
 */
#include "registry/access/authenticator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"
#include "common/words.h"
#include "registry/access/bcrypt.h"
#include "registry/access/htpasswd.h"
#include "registry/access/password-cache.h"
#include "registry/access/watched-table.h"

enum {
    DEFAULT_REMEMBER_MS = 5 * 60 * 1000,
    DEFAULT_REMEMBER_MAX = 4096,
    /* 0.7 s. A single user with cost 17 must not make every wrong password take 6 s. */
    HIGHEST_EVEN_COST = 14,
};

struct authenticator {
    struct watched_table *users; /* of struct htpasswd */
    struct password_cache *cache;
    struct authenticator_counters counters; /* atomic */
};

static void count(uint64_t *counter, uint64_t more)
{
    __atomic_add_fetch(counter, more, __ATOMIC_RELAXED);
}

/* --- the file of users ------------------------------------------------------------------ */

static void warn_of_flaws(struct watched_table *users, const struct htpasswd *table)
{
    const struct htpasswd_flaws *flaws = htpasswd_get_flaws(table);
    const char *path = watched_table_path(users);

    for (size_t i = 0; i < flaws->count && i < HTPASSWD_FLAWS_MAX; i++)
        watched_table_warn(users, "%s line %zu: %s", path, flaws->first[i].line,
                           htpasswd_flaw_text(flaws->first[i].kind));
    if (flaws->count > HTPASSWD_FLAWS_MAX)
        watched_table_warn(users, "%s: %zu more %s cannot be used", path,
                           flaws->count - HTPASSWD_FLAWS_MAX,
                           words_plural(flaws->count - HTPASSWD_FLAWS_MAX, "line", "lines"));
    if (htpasswd_highest_cost(table) == 0)
        watched_table_warn(
            users, "%s has no user who can log in; add one with: registryd htpasswd -Bn USER >> %s",
            path, path);
}

static void warn_of_modes(struct watched_table *users, const struct file_content *content)
{
    const char *path = watched_table_path(users);

    if (content->is_open)
        watched_table_warn(
            users,
            "%s can be changed by every user of this machine, who can then log in: chmod o-w %s",
            path, path);
    if (content->is_public)
        watched_table_warn(users, "%s can be read by every user of this machine: chmod o-r %s",
                           path, path);
}

static int parse_users(struct watched_table *users, struct file_content *content, void **ret,
                       struct error *err)
{
    struct htpasswd *table;
    int r = htpasswd_parse(content->text, content->size, &table);

    if (r == -E2BIG)
        return error_set(err, E2BIG, "%s has more than %d users", watched_table_path(users),
                         HTPASSWD_USERS_MAX);
    if (r < 0)
        return error_set_oom(err);
    content->text = NULL; /* the table owns it now */
    warn_of_flaws(users, table);
    warn_of_modes(users, content);
    *ret = table;
    return 0;
}

static bool is_of(const void *table, const char *text, size_t size)
{
    return htpasswd_is_of(table, text, size);
}

static void *ref_table(void *table)
{
    return htpasswd_ref(table);
}

static void unref_table(void *table)
{
    htpasswd_unref(table);
}

static const struct watched_table_type users_type = {
    .parse = parse_users,
    .is_of = is_of,
    .ref = ref_table,
    .unref = unref_table,
    .stays = "the previous users stay in force",
};

int authenticator_reload(struct authenticator *a, struct error *err)
{
    return watched_table_reload(a->users, err);
}

/* --- requests --------------------------------------------------------------------------- */

static enum auth_verdict grant(struct authenticator *a)
{
    count(&a->counters.granted, 1);
    return AUTH_GRANTED;
}

static enum auth_verdict deny(struct authenticator *a)
{
    count(&a->counters.denied, 1);
    return AUTH_DENIED;
}

/*
 * Whether no user can have this password, or no user can log in. An early answer then reveals
 * nothing about the user.
 */
static bool is_hopeless(const struct htpasswd *table, const struct secbuf *password)
{
    return htpasswd_highest_cost(table) == 0 ||
           (password->size > 0 && memchr(password->data, '\0', password->size));
}

/* NULL if no password can match. */
static const struct htpasswd_user *find_user(const struct htpasswd *table,
                                             const struct secbuf *name)
{
    const struct htpasswd_user *user = htpasswd_find(table, name->data, name->size);

    return user && user->hash ? user : NULL;
}

/*
 * Does the same work for an unknown user, so that the time does not reveal whether the user exists.
 */
static bool is_remembered(struct authenticator *a, const struct htpasswd_user *user,
                          const struct secbuf *name, const struct secbuf *password)
{
    static const char nobody[BCRYPT_SIZE];
    const struct verified what = {
        .user = name, .password = password, .hash = user ? user->hash : nobody};

    return password_cache_has(a->cache, &what, boottime_ms()) && user;
}

enum auth_verdict authenticator_look_up(struct authenticator *a, const struct secbuf *user,
                                        const struct secbuf *password)
{
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;

    if (!watched_table_is_current(a->users))
        return AUTH_UNKNOWN; /* a worker will read the file */
    table = watched_table_get(a->users);
    if (is_hopeless(table, password))
        return deny(a);
    if (!is_remembered(a, find_user(table, user), user, password))
        return AUTH_UNKNOWN;
    count(&a->counters.cache_hits, 1);
    return grant(a);
}

static int run_bcrypt(struct authenticator *a, const struct htpasswd_user *user,
                      const struct secbuf *password)
{
    count(&a->counters.bcrypts, 1);
    count(&a->counters.bcrypt_rounds, (uint64_t)1 << user->cost);
    return bcrypt_check(password, user->hash);
}

static int waste_bcrypt(struct authenticator *a, unsigned cost, const struct secbuf *password)
{
    count(&a->counters.bcrypts, 1);
    count(&a->counters.bcrypt_rounds, (uint64_t)1 << cost);
    return bcrypt_waste(password, cost);
}

/*
 * Returns 0, BCRYPT_MISMATCH or -ENOMEM. An unknown user is treated like one with the usual cost.
 */
static int check(struct authenticator *a, const struct htpasswd *table,
                 const struct htpasswd_user *user, const struct secbuf *password)
{
    unsigned highest = htpasswd_highest_cost(table),
             cost = user ? user->cost : htpasswd_usual_cost(table);
    int r;

    if (highest > HIGHEST_EVEN_COST)
        highest = HIGHEST_EVEN_COST;
    if (!user && cost > highest)
        cost = highest;
    r = user ? run_bcrypt(a, user, password) : waste_bcrypt(a, cost, password);
    if (r < 0 || (user && r == 0))
        return r;
    for (; r >= 0 && cost < highest; cost++)
        r = waste_bcrypt(a, cost, password);
    return r < 0 ? r : BCRYPT_MISMATCH;
}

enum auth_verdict authenticator_verify(struct authenticator *a, const struct secbuf *name,
                                       const struct secbuf *password)
{
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;
    const struct htpasswd_user *user;
    int r;

    watched_table_refresh(a->users);
    table = watched_table_get(a->users);
    if (is_hopeless(table, password))
        return deny(a);
    user = find_user(table, name);
    if (is_remembered(a, user, name, password)) {
        count(&a->counters.cache_hits, 1);
        return grant(a);
    }
    r = check(a, table, user, password);
    if (r < 0)
        return AUTH_UNKNOWN;
    if (r > 0)
        return deny(a);
    password_cache_add(a->cache,
                       &(struct verified){.user = name, .password = password, .hash = user->hash},
                       boottime_ms());
    return grant(a);
}

/* The salt of each hash is random, so the hash itself can be the stamp. */
bool authenticator_find_stamp(struct authenticator *a, const char *name,
                              unsigned char ret[AUTHENTICATOR_STAMP_SIZE])
{
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = watched_table_get(a->users);
    const struct htpasswd_user *user = htpasswd_find(table, name, strlen(name));

    if (!user || !user->hash)
        return false;
    memcpy(ret, user->hash, BCRYPT_SIZE);
    explicit_bzero(ret + BCRYPT_SIZE, AUTHENTICATOR_STAMP_SIZE - BCRYPT_SIZE);
    return true;
}

bool authenticator_is_current(struct authenticator *a)
{
    return watched_table_is_current(a->users);
}

void authenticator_refresh(struct authenticator *a)
{
    watched_table_refresh(a->users);
}

void authenticator_get_counters(const struct authenticator *a, struct authenticator_counters *ret)
{
    *ret = (struct authenticator_counters){
        .granted = __atomic_load_n(&a->counters.granted, __ATOMIC_RELAXED),
        .denied = __atomic_load_n(&a->counters.denied, __ATOMIC_RELAXED),
        .cache_hits = __atomic_load_n(&a->counters.cache_hits, __ATOMIC_RELAXED),
        .bcrypts = __atomic_load_n(&a->counters.bcrypts, __ATOMIC_RELAXED),
        .bcrypt_rounds = __atomic_load_n(&a->counters.bcrypt_rounds, __ATOMIC_RELAXED),
    };
}

/* --- opening and closing ---------------------------------------------------------------- */

static int set_up(struct authenticator *a, const struct authenticator_options *options,
                  struct error *err)
{
    const struct watched_table_options users = {.path = options->path,
                                                .type = &users_type,
                                                .warn = options->warn,
                                                .context = options->context};
    unsigned max = options->remember_max ? options->remember_max : DEFAULT_REMEMBER_MAX;
    uint64_t life_ms = options->remember_ms ? options->remember_ms : DEFAULT_REMEMBER_MS;
    int r;

    if (password_cache_new(max, life_ms, &a->cache) < 0)
        return error_set_oom(err);
    r = bcrypt_test(err);
    if (r < 0)
        return r;
    r = watched_table_open(&users, &a->users, err);
    if (r == -ENOENT)
        return error_set(
            err, ENOENT,
            "there is no file %s with users; make one with: registryd htpasswd -Bn USER > %s",
            options->path, options->path);
    return r;
}

int authenticator_open(const struct authenticator_options *options, struct authenticator **ret,
                       struct error *err)
{
    struct authenticator *a = calloc(1, sizeof(*a));
    int r;

    if (!a)
        return error_set_oom(err);
    r = set_up(a, options, err);
    if (r < 0) {
        authenticator_close(a);
        return r;
    }
    *ret = a;
    return 0;
}

void authenticator_close(struct authenticator *a)
{
    if (!a)
        return;
    password_cache_free(a->cache);
    watched_table_close(a->users);
    free(a);
}
