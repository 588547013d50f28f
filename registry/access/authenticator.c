/*
 * Puts the parts together: the table of users, which a reload replaces as a whole, and the cache of
 * verified passwords. Two locks: `lock` is held for a few instructions, so that no event thread ever
 * waits for a disk; `reload_lock` for the length of a reload, by worker threads alone.
 *
 * What a refusal may tell: nothing. So it takes the work of the highest cost in the file, whoever
 * was asked for. A user whose hash has cost c adds runs of cost c, c+1, .. up to one below the
 * highest h: 2^c + (2^c + 2^(c+1) + .. + 2^(h-1)) = 2^h.
 */
#include "registry/access/authenticator.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/access/bcrypt.h"
#include "registry/access/htpasswd-file.h"
#include "registry/access/htpasswd.h"
#include "registry/access/password-cache.h"

enum {
    DEFAULT_REMEMBER_MS = 5 * 60 * 1000,
    DEFAULT_REMEMBER_MAX = 4096,
    RETRY_MS = 2000,
    UNFINISHED_RETRY_MS = 100,
    /* 0.7 s. One user of cost 17 must not make each wrong password of anybody cost 6 s. */
    HIGHEST_EVEN_COST = 14,
};

struct authenticator {
    char *path;
    void (*warn)(void *context, const char *text);
    void *context;

    pthread_mutex_t lock;
    struct htpasswd *table;      /* one reference is ours */
    struct htpasswd_stamp stamp; /* of the file when it was last read, or tried to */
    uint64_t look_again_ms;      /* even if the stamp stays; 0: no */

    pthread_mutex_t reload_lock; /* of the following, and of who writes what `lock` is of */
    int last_failure;            /* what warn() was called for; 0 since a success */

    struct password_cache *cache;
    struct authenticator_counters counters; /* atomic */
};

static void count(uint64_t *counter, uint64_t more)
{
    __atomic_add_fetch(counter, more, __ATOMIC_RELAXED);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now); /* an hour asleep is an hour */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- the file --------------------------------------------------------------------------- */

static void warn(struct authenticator *a, const char *format, ...) PRINTF_LIKE(2, 3);

static void warn(struct authenticator *a, const char *format, ...)
{
    struct error line; /* for it makes one line of anything */
    char text[sizeof(line.text)];
    va_list args;

    if (!a->warn)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    error_set(&line, 0, "%s", text);
    a->warn(a->context, line.text);
}

static void warn_of_flaws(struct authenticator *a, const struct htpasswd *table)
{
    const struct htpasswd_flaws *flaws = htpasswd_get_flaws(table);

    for (size_t i = 0; i < flaws->count && i < HTPASSWD_FLAWS_MAX; i++)
        warn(a, "%s line %zu: %s", a->path, flaws->first[i].line, htpasswd_flaw_text(flaws->first[i].kind));
    if (flaws->count > HTPASSWD_FLAWS_MAX)
        warn(a, "%s: %zu more lines are of no use", a->path, flaws->count - HTPASSWD_FLAWS_MAX);
    if (htpasswd_highest_cost(table) == 0)
        warn(a, "%s names no user that could log in; make one with: registryd htpasswd -Bn USER >> %s", a->path, a->path);
}

/* Both take the stamp and say when the file is looked at again without a new one; 0: never. */

static void keep_table(struct authenticator *a, const struct htpasswd_stamp *stamp, uint64_t look_again_ms)
{
    pthread_mutex_lock(&a->lock);
    a->stamp = *stamp;
    a->look_again_ms = look_again_ms;
    pthread_mutex_unlock(&a->lock);
}

/* table may be the one that is in force already. Takes ownership of it. */
static void put_in_force(struct authenticator *a, struct htpasswd *table, const struct htpasswd_stamp *stamp,
                         uint64_t look_again_ms)
{
    struct htpasswd *before;

    pthread_mutex_lock(&a->lock);
    before = a->table;
    a->table = table;
    a->stamp = *stamp;
    a->look_again_ms = look_again_ms;
    pthread_mutex_unlock(&a->lock);
    htpasswd_unref(before);
}

static int load_table(struct authenticator *a, struct htpasswd_content *content, struct htpasswd **ret,
                      struct error *err)
{
    int r = htpasswd_parse(content->text, content->size, ret);

    if (r == -E2BIG)
        return error_set(err, E2BIG, "%s has more than %d users", a->path, HTPASSWD_USERS_MAX);
    if (r < 0)
        return error_set_oom(err);
    content->text = NULL; /* is the table's now */
    warn_of_flaws(a, *ret);
    if (content->is_open)
        warn(a, "%s can be changed by every user of this machine, who can then let himself in: chmod o-w %s", a->path, a->path);
    if (content->is_public)
        warn(a, "%s can be read by every user of this machine: chmod o-r %s", a->path, a->path);
    return 0;
}

static void content_done(struct htpasswd_content *content)
{
    if (content->text)
        explicit_bzero(content->text, content->size);
    free(content->text);
}

/* reload_lock is held, so nobody else changes a->table. */
static int load(struct authenticator *a, struct error *err)
{
    CLEANUP(content_done) struct htpasswd_content content = {0};
    struct htpasswd *table = NULL;
    uint64_t now = now_ms();
    int r = htpasswd_file_read(a->path, &content, err);

    if (r < 0)
        return r;
    if (a->table && content.is_unfinished) { /* its writer will go on */
        keep_table(a, &content.stamp, now + UNFINISHED_RETRY_MS);
        return 0;
    }
    if (a->table && htpasswd_is_of(a->table, content.text, content.size))
        table = htpasswd_ref(a->table);
    else
        r = load_table(a, &content, &table, err);
    if (r < 0)
        return r;
    put_in_force(a, table, &content.stamp, htpasswd_stamp_is_fresh(&content.stamp) ? now + RETRY_MS : 0);
    return 0;
}

/* A cause that is not in the file may pass without the file changing. */
static bool may_pass(int r)
{
    return r != -ENOENT && r != -EFBIG && r != -E2BIG && r != -EINVAL;
}

static bool is_current(struct authenticator *a)
{
    struct htpasswd_stamp stamp;
    bool is_equal;

    htpasswd_stamp_take(a->path, &stamp);
    pthread_mutex_lock(&a->lock);
    is_equal = htpasswd_stamp_is_equal(&stamp, &a->stamp) && (a->look_again_ms == 0 || now_ms() < a->look_again_ms);
    pthread_mutex_unlock(&a->lock);
    return is_equal;
}

/* reload_lock is held. */
static int load_or_keep(struct authenticator *a, struct error *err)
{
    struct htpasswd_stamp stamp;
    int r;

    htpasswd_stamp_take(a->path, &stamp); /* before: a change after it is seen */
    r = load(a, err);
    if (r < 0)
        keep_table(a, &stamp, may_pass(r) ? now_ms() + RETRY_MS : 0);
    return r;
}

/* For requests: whatever happens, some table is in force after it. */
static void refresh(struct authenticator *a)
{
    struct error err;
    int r;

    if (is_current(a))
        return;
    pthread_mutex_lock(&a->reload_lock);
    r = is_current(a) ? 0 : load_or_keep(a, &err); /* another thread may have been here meanwhile */
    if (r < 0 && r != a->last_failure)
        warn(a, "%s; the users known so far stay in force", err.text);
    a->last_failure = r;
    pthread_mutex_unlock(&a->reload_lock);
}

int authenticator_reload(struct authenticator *a, struct error *err)
{
    int r;

    pthread_mutex_lock(&a->reload_lock);
    r = load_or_keep(a, err);
    a->last_failure = r;
    pthread_mutex_unlock(&a->reload_lock);
    return r;
}

/* --- requests --------------------------------------------------------------------------- */

static struct htpasswd *get_table(struct authenticator *a)
{
    struct htpasswd *table;

    pthread_mutex_lock(&a->lock);
    table = htpasswd_ref(a->table);
    pthread_mutex_unlock(&a->lock);
    return table;
}

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

/* Whether nobody has this password, or nobody can log in: that tells nothing about the user. */
static bool is_hopeless(const struct htpasswd *table, const struct secbuf *password)
{
    return htpasswd_highest_cost(table) == 0 || (password->size > 0 && memchr(password->data, '\0', password->size));
}

/* NULL where no password would do. */
static const struct htpasswd_user *find_user(const struct htpasswd *table, const struct secbuf *name)
{
    const struct htpasswd_user *user = htpasswd_find(table, name->data, name->size);

    return user && user->hash ? user : NULL;
}

/* For a user that is not there it does the same for nothing: the time must not tell. */
static bool is_remembered(struct authenticator *a, const struct htpasswd_user *user, const struct secbuf *name,
                          const struct secbuf *password)
{
    static const char nobody[BCRYPT_SIZE];
    const struct verified what = {.user = name, .password = password, .hash = user ? user->hash : nobody};

    return password_cache_has(a->cache, &what, now_ms()) && user;
}

enum auth_verdict authenticator_look_up(struct authenticator *a, const struct secbuf *user, const struct secbuf *password)
{
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;

    if (!is_current(a))
        return AUTH_UNKNOWN; /* a worker will read the file */
    table = get_table(a);
    if (is_hopeless(table, password))
        return deny(a);
    if (!is_remembered(a, find_user(table, user), user, password))
        return AUTH_UNKNOWN;
    count(&a->counters.cache_hits, 1);
    return grant(a);
}

static int run_bcrypt(struct authenticator *a, const struct htpasswd_user *user, const struct secbuf *password)
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

/* 0, BCRYPT_MISMATCH or -ENOMEM. Who is not there is taken for one with the usual cost. */
static int check(struct authenticator *a, const struct htpasswd *table, const struct htpasswd_user *user,
                 const struct secbuf *password)
{
    unsigned highest = htpasswd_highest_cost(table), cost = user ? user->cost : htpasswd_usual_cost(table);
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

enum auth_verdict authenticator_verify(struct authenticator *a, const struct secbuf *name, const struct secbuf *password)
{
    CLEANUP(htpasswd_unrefp) struct htpasswd *table = NULL;
    const struct htpasswd_user *user;
    int r;

    refresh(a);
    table = get_table(a);
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
    password_cache_add(a->cache, &(struct verified){.user = name, .password = password, .hash = user->hash}, now_ms());
    return grant(a);
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

/* --- the beginning and the end ---------------------------------------------------------- */

static int set_up(struct authenticator *a, const struct authenticator_options *options, struct error *err)
{
    unsigned max = options->remember_max ? options->remember_max : DEFAULT_REMEMBER_MAX;
    uint64_t life_ms = options->remember_ms ? options->remember_ms : DEFAULT_REMEMBER_MS;
    int r;

    a->warn = options->warn;
    a->context = options->context;
    a->path = strdup(options->path);
    if (!a->path || password_cache_new(max, life_ms, &a->cache) < 0)
        return error_set_oom(err);
    r = bcrypt_test(err);
    if (r < 0)
        return r;
    r = authenticator_reload(a, err);
    if (r == -ENOENT)
        return error_set(err, ENOENT, "there is no file %s with users; make one with: registryd htpasswd -Bn USER > %s",
                         a->path, a->path);
    return r;
}

int authenticator_open(const struct authenticator_options *options, struct authenticator **ret, struct error *err)
{
    struct authenticator *a = calloc(1, sizeof(*a));
    int r;

    if (!a)
        return error_set_oom(err);
    pthread_mutex_init(&a->lock, NULL);
    pthread_mutex_init(&a->reload_lock, NULL);
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
    htpasswd_unref(a->table);
    free(a->path);
    pthread_mutex_destroy(&a->lock);
    pthread_mutex_destroy(&a->reload_lock);
    free(a);
}
