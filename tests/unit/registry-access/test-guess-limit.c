#include "registry/access/guess-limit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

enum { PER_MINUTE = 6, INTERVAL_MS = 10000, START_MS = 1000000 };

static void count(struct guess_limit *limit, const char *address, const char *user, uint64_t now_ms,
                  int times)
{
    for (int i = 0; i < times; i++)
        guess_limit_count(limit, address, user, strlen(user), now_ms);
}

static uint64_t wait_of(struct guess_limit *limit, const char *address, const char *user,
                        uint64_t now_ms)
{
    return guess_limit_get_wait(limit, address, user, strlen(user), now_ms);
}

static void a_burst_of_a_minutes_guesses_is_allowed_then_one_per_interval(void **state)
{
    struct guess_limit *limit = guess_limit_new(PER_MINUTE);

    (void)state;
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS), 0);
    count(limit, "192.0.2.1", "me", START_MS, PER_MINUTE - 1);
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS), 0);
    count(limit, "192.0.2.1", "me", START_MS, 1);
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS), INTERVAL_MS);
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS + 1), INTERVAL_MS - 1);
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS + INTERVAL_MS), 0);
    count(limit, "192.0.2.1", "me", START_MS + INTERVAL_MS, 1);
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS + INTERVAL_MS), INTERVAL_MS);
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS + 60000 + INTERVAL_MS), 0);
    guess_limit_free(limit);
}

/* Otherwise a guesser would lock out later users of the same address for days. */
static void a_thousand_guesses_expire_as_soon_as_a_minutes_guesses(void **state)
{
    struct guess_limit *limit = guess_limit_new(PER_MINUTE);

    (void)state;
    count(limit, "192.0.2.1", "me", START_MS, 1000);
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS), INTERVAL_MS);
    assert_int_equal(wait_of(limit, "192.0.2.1", "other", START_MS), INTERVAL_MS / 10);
    guess_limit_free(limit);
}

static void a_user_on_another_address_is_not_locked_out(void **state)
{
    struct guess_limit *limit = guess_limit_new(PER_MINUTE);

    (void)state;
    count(limit, "192.0.2.1", "me", START_MS, 1000);
    assert_true(wait_of(limit, "192.0.2.1", "me", START_MS) > 0);
    assert_int_equal(wait_of(limit, "192.0.2.2", "me", START_MS), 0);
    guess_limit_free(limit);
}

static void an_address_that_tries_many_users_is_limited_too(void **state)
{
    struct guess_limit *limit = guess_limit_new(PER_MINUTE);
    char user[16];

    (void)state;
    for (int i = 0; i < 10 * PER_MINUTE; i++) {
        assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS), 0);
        snprintf(user, sizeof(user), "user%d", i);
        count(limit, "192.0.2.1", user, START_MS, 1);
    }
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS), 1000);
    assert_int_equal(wait_of(limit, "192.0.2.2", "me", START_MS), 0);
    guess_limit_free(limit);
}

static void addresses_are_grouped_by_the_prefix_that_a_client_cannot_choose(void **state)
{
    static const struct {
        const char *first, *second;
        bool is_same;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.3", false},
        {"2001:db8::1", "2001:db8::2", true},
        {"2001:db8::1", "2001:db8:0:0:ffff::2", true},
        {"2001:db8::1", "2001:db8:0:1::1", false},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
        {"::ffff:192.0.2.1", "192.0.2.1", true},
        {"1.2.3.4", "102:304::", false},
        {"", "", true}, /* a socket in the file system */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct guess_limit *limit = guess_limit_new(1);

        count(limit, cases[i].first, "me", START_MS, 1);
        assert_case(cases[i].second,
                    (wait_of(limit, cases[i].second, "me", START_MS) > 0) == cases[i].is_same);
        guess_limit_free(limit);
    }
}

/*
 * Many thousands of other entries can only evict one; they never delay a user without wrong
 * guesses.
 */
static void the_table_evicts_entries_instead_of_growing(void **state)
{
    struct guess_limit *limit = guess_limit_new(PER_MINUTE);
    char address[32];

    (void)state;
    for (int i = 0; i < 100000; i++) {
        snprintf(address, sizeof(address), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        count(limit, address, "me", START_MS, 1);
    }
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS), 0);
    count(limit, "192.0.2.1", "me", START_MS, PER_MINUTE);
    assert_true(wait_of(limit, "192.0.2.1", "me", START_MS) > 0);
    guess_limit_free(limit);
}

static void names_may_have_any_bytes(void **state)
{
    struct guess_limit *limit = guess_limit_new(1);

    (void)state;
    guess_limit_count(limit, "192.0.2.1", "a\0b", 3, START_MS);
    assert_true(guess_limit_get_wait(limit, "192.0.2.1", "a\0b", 3, START_MS) > 0);
    assert_int_equal(guess_limit_get_wait(limit, "192.0.2.1", "a\0c", 3, START_MS), 0);
    assert_int_equal(guess_limit_get_wait(limit, "192.0.2.1", "", 0, START_MS), 0);
    guess_limit_free(limit);
    guess_limit_free(NULL);
}

static void *guess_much(void *limit)
{
    for (int i = 0; i < 2000; i++)
        count(limit, "192.0.2.1", "me", START_MS, 1);
    return NULL;
}

static void threads_can_count_concurrently(void **state)
{
    struct guess_limit *limit = guess_limit_new(60000); /* a guess costs 1 ms */
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, guess_much, limit), 0);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    count(limit, "192.0.2.1", "me", START_MS, 60000 - 8000);
    assert_int_equal(wait_of(limit, "192.0.2.1", "me", START_MS), 1);
    guess_limit_free(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_of_a_minutes_guesses_is_allowed_then_one_per_interval),
        cmocka_unit_test(a_thousand_guesses_expire_as_soon_as_a_minutes_guesses),
        cmocka_unit_test(a_user_on_another_address_is_not_locked_out),
        cmocka_unit_test(an_address_that_tries_many_users_is_limited_too),
        cmocka_unit_test(addresses_are_grouped_by_the_prefix_that_a_client_cannot_choose),
        cmocka_unit_test(the_table_evicts_entries_instead_of_growing),
        cmocka_unit_test(names_may_have_any_bytes),
        cmocka_unit_test(threads_can_count_concurrently),
    };

    return cmocka_run_group_tests_name("guess-limit", tests, NULL, NULL);
}
