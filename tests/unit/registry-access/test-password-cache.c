#include "registry/access/password-cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "registry/access/bcrypt.h"
#include "tests/unit/check.h"

#define HASH "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
#define OTHER_HASH "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeX"

enum { LIFE_MS = 1000 };

static void cache_freep(struct password_cache **cache)
{
    password_cache_free(*cache);
}

static struct password_cache *make_cache(unsigned max)
{
    struct password_cache *cache = NULL;

    assert_int_equal(password_cache_new(max, LIFE_MS, &cache), 0);
    return cache;
}

/* A user and a password, and the questions about them. */
struct pair {
    struct secbuf user, password;
};

static void pair_done(struct pair *pair)
{
    secbuf_done(&pair->user);
    secbuf_done(&pair->password);
}

static struct pair pair_of(const char *user, const char *password)
{
    struct pair pair = {0};

    assert_int_equal(secbuf_append(&pair.user, user, strlen(user)), 0);
    assert_int_equal(secbuf_append(&pair.password, password, strlen(password)), 0);
    return pair;
}

static void add(struct password_cache *cache, const char *user, const char *password,
                const char *hash, uint64_t now_ms)
{
    CLEANUP(pair_done) struct pair pair = pair_of(user, password);

    password_cache_add(cache, &(struct verified){&pair.user, &pair.password, hash}, now_ms);
}

static bool has(struct password_cache *cache, const char *user, const char *password,
                const char *hash, uint64_t now_ms)
{
    CLEANUP(pair_done) struct pair pair = pair_of(user, password);

    return password_cache_has(cache, &(struct verified){&pair.user, &pair.password, hash}, now_ms);
}

static void only_verified_passwords_are_cached(void **state)
{
    CLEANUP(cache_freep) struct password_cache *cache = make_cache(16);

    (void)state;
    assert_false(has(cache, "user", "secret", HASH, 0));
    add(cache, "user", "secret", HASH, 0);
    assert_true(has(cache, "user", "secret", HASH, 0));
    assert_false(has(cache, "user", "Secret", HASH, 0));
    assert_false(has(cache, "user", "secre", HASH, 0));
    assert_false(has(cache, "user", "", HASH, 0));
    assert_false(has(cache, "user2", "secret", HASH, 0));
    assert_false(has(cache, "", "secret", HASH, 0));
    assert_false(has(cache, "users", "ecret", HASH, 0));
    assert_false(has(cache, "use", "rsecret", HASH, 0));
}

static void a_changed_hash_invalidates_the_entry(void **state)
{
    CLEANUP(cache_freep) struct password_cache *cache = make_cache(16);

    (void)state;
    add(cache, "user", "secret", HASH, 0);
    assert_false(has(cache, "user", "secret", OTHER_HASH, 0));
    add(cache, "user", "secret", OTHER_HASH, 0);
    assert_true(has(cache, "user", "secret", OTHER_HASH, 0));
    assert_true(has(cache, "user", "secret", HASH, 0));
}

static void buffers_may_be_empty(void **state)
{
    CLEANUP(cache_freep) struct password_cache *cache = make_cache(16);
    const struct secbuf nothing = {0};
    const struct verified what = {&nothing, &nothing, HASH};

    (void)state;
    assert_false(password_cache_has(cache, &what, 0));
    password_cache_add(cache, &what, 0);
    assert_true(password_cache_has(cache, &what, 0));
    assert_true(has(cache, "", "", HASH, 0));
}

static void lookups_do_not_extend_the_lifetime(void **state)
{
    CLEANUP(cache_freep) struct password_cache *cache = make_cache(16);

    (void)state;
    add(cache, "user", "secret", HASH, 5000);
    for (uint64_t ms = 5000; ms < 5000 + LIFE_MS; ms += 100)
        assert_true(has(cache, "user", "secret", HASH, ms));
    assert_true(has(cache, "user", "secret", HASH, 5000 + LIFE_MS - 1));
    assert_false(has(cache, "user", "secret", HASH, 5000 + LIFE_MS));
    assert_false(has(cache, "user", "secret", HASH, 5000)); /* removed, not only expired */
    add(cache, "user", "secret", HASH, 9000);
    add(cache, "user", "secret", HASH, 9500);
    assert_true(has(cache, "user", "secret", HASH, 9400 + LIFE_MS));
}

/* As in bcrypt. Otherwise one long password could fill the cache with an entry for each suffix. */
static void only_the_first_72_bytes_of_a_password_count(void **state)
{
    CLEANUP(cache_freep) struct password_cache *cache = make_cache(16);
    char text[101];

    (void)state;
    fill(text, 'x', 72);
    add(cache, "user", text, HASH, 0);
    fill(text, 'x', 100);
    assert_true(has(cache, "user", text, HASH, 0));
    fill(text, 'x', 71);
    assert_false(has(cache, "user", text, HASH, 0));
}

static void add_number(struct password_cache *cache, int number, uint64_t now_ms)
{
    char user[20];

    snprintf(user, sizeof(user), "user%d", number);
    add(cache, user, "secret", HASH, now_ms);
}

static bool has_number(struct password_cache *cache, int number, uint64_t now_ms)
{
    char user[20];

    snprintf(user, sizeof(user), "user%d", number);
    return has(cache, user, "secret", HASH, now_ms);
}

static void the_least_recently_used_entry_is_evicted_first(void **state)
{
    CLEANUP(cache_freep) struct password_cache *cache = make_cache(4);

    (void)state;
    for (int i = 0; i < 4; i++)
        add_number(cache, i, 0);
    assert_true(has_number(cache, 0, 0)); /* used: now 1 is the oldest */
    add_number(cache, 2, 0);              /* verified again: it does not use a second entry */
    add_number(cache, 4, 0);
    assert_false(has_number(cache, 1, 0));
    assert_true(has_number(cache, 0, 0));
    assert_true(has_number(cache, 2, 0));
    assert_true(has_number(cache, 3, 0));
    assert_true(has_number(cache, 4, 0));
}

/* The expired entry is in the middle of the list of use. */
static void expired_entries_are_evicted_before_unused_ones(void **state)
{
    CLEANUP(cache_freep) struct password_cache *cache = make_cache(3);

    (void)state;
    add_number(cache, 0, 500);
    add_number(cache, 1, 0);
    add_number(cache, 2, 500);
    add_number(cache, 3, LIFE_MS);
    assert_true(has_number(cache, 0, LIFE_MS));
    assert_false(has_number(cache, 1, 0));
    assert_true(has_number(cache, 2, LIFE_MS));
    assert_true(has_number(cache, 3, LIFE_MS));
}

static void a_cache_of_any_size_stays_consistent(void **state)
{
    static const unsigned sizes[] = {1, 2, 3, 100, 4096};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        CLEANUP(cache_freep) struct password_cache *cache = make_cache(sizes[i]);
        int last = (int)sizes[i] * 2 + 50;

        for (int n = 0; n <= last; n++)
            add_number(cache, n, 0);
        for (int n = 0; n <= last; n++)
            assert_int_equal(has_number(cache, n, 0), n > last - (int)sizes[i]);
    }
}

static void an_invalid_size_is_refused(void **state)
{
    struct password_cache *cache = NULL;

    (void)state;
    assert_int_equal(password_cache_new(0, LIFE_MS, &cache), -EINVAL);
    assert_int_equal(password_cache_new(UINT32_MAX, LIFE_MS, &cache), -EINVAL);
    assert_null(cache);
    password_cache_free(NULL);
}

/* --- many threads ----------------------------------------------------------------------- */

static void *use_cache(void *argument)
{
    struct password_cache *cache = argument;

    for (int i = 0; i < 300; i++) {
        add_number(cache, i % 20, (uint64_t)i);
        has_number(cache, (i + 7) % 30, (uint64_t)i * 10);
    }
    return NULL;
}

static void any_thread_may_use_it(void **state)
{
    CLEANUP(cache_freep) struct password_cache *cache = make_cache(8);
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_cache, cache), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    add_number(cache, 1, 5000);
    assert_true(has_number(cache, 1, 5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_verified_passwords_are_cached),
        cmocka_unit_test(a_changed_hash_invalidates_the_entry),
        cmocka_unit_test(buffers_may_be_empty),
        cmocka_unit_test(lookups_do_not_extend_the_lifetime),
        cmocka_unit_test(only_the_first_72_bytes_of_a_password_count),
        cmocka_unit_test(the_least_recently_used_entry_is_evicted_first),
        cmocka_unit_test(expired_entries_are_evicted_before_unused_ones),
        cmocka_unit_test(a_cache_of_any_size_stays_consistent),
        cmocka_unit_test(an_invalid_size_is_refused),
        cmocka_unit_test(any_thread_may_use_it),
    };

    return cmocka_run_group_tests_name("password-cache", tests, NULL, NULL);
}
