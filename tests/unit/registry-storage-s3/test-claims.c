/*
 * Claims that a server keeps: two servers in one bucket. What the objects of claims contain says
 * whether a server has a line there.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/storage/s3/s3.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-storage-s3/server-fixture.h"

#define PREFIX "repositories/r/"
#define OBJECT "registryd/claims/" PREFIX ".claim"

enum { LONG_MS = 60000, LEASE_S = 20, DRIFT_S = 2, KEPT_S = 10 };

static struct small_store *bucket;
static struct store *stores[2];
static struct storage *one, *two;

static int set_up(void **state)
{
    (void)state;
    bucket = servers_start();
    for (unsigned i = 0; i < 2; i++)
        stores[i] = server_open(i);
    one = store_get_storage(stores[0]);
    two = store_get_storage(stores[1]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++)
        store_close(stores[i]);
    servers_end();
    return 0;
}

static int claim(struct storage *storage, enum storage_claim_mode mode, unsigned patience_ms,
                 struct storage_claim **ret)
{
    struct error err = {0};
    int r = storage_claim(storage, PREFIX, mode, patience_ms, ret, &err);

    if (r < 0)
        fail_msg("%s", err.text);
    return r;
}

static int check(struct storage_claim *held)
{
    struct error err = {0};
    int r = storage_claim_check(held, &err);

    if (r < 0)
        fail_msg("%s", err.text);
    return r;
}

static void claim_and_release(struct storage *storage, enum storage_claim_mode mode,
                              unsigned patience_ms)
{
    struct storage_claim *held;

    assert_int_equal(claim(storage, mode, patience_ms, &held), 0);
    storage_claim_release(held);
}

/* The claim's object; "" if it is missing. Free with free(). */
static char *object_of(struct storage *storage)
{
    struct error err = {0};
    char *text;
    size_t size;
    int r = storage_get(storage, OBJECT, 1 << 20, STORAGE_MAY_WAIT, &text, &size, &err);

    if (r < 0)
        fail_msg("%s", err.text);
    return r == 0 ? text : strdup("");
}

static bool has_line(struct storage *storage, const char *mode)
{
    CLEANUP_FREE char *text = object_of(storage);

    return strstr(text, mode);
}

static long long end_of_line(struct storage *storage)
{
    CLEANUP_FREE char *text = object_of(storage);
    long long until_s;

    assert_int_equal(sscanf(text, "shared %*s %lld", &until_s), 1);
    return until_s;
}

static void wait_until_line_is_gone(struct storage *storage)
{
    while (has_line(storage, "shared"))
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
}

/* --- one server ------------------------------------------------------------------------------ */

static void requests_of_a_server_share_one_line(void **state)
{
    CLEANUP_FREE char *before = NULL, *after = NULL;
    struct storage_claim *held;

    (void)state;
    assert_int_equal(claim(one, STORAGE_SHARED, 0, &held), 0);
    before = object_of(one);
    for (int i = 0; i < 100; i++)
        claim_and_release(one, STORAGE_SHARED, 0);
    assert_int_equal(check(held), 0);
    storage_claim_release(held);
    claim_and_release(one, STORAGE_SHARED, 0);
    after = object_of(one);
    assert_string_equal(after, before); /* each write changes it */
}

static void a_kept_line_is_taken_over(void **state)
{
    struct storage_claim *alone, *other;

    (void)state;
    claim_and_release(one, STORAGE_SHARED, 0);
    assert_true(has_line(one, "shared"));
    assert_int_equal(claim(one, STORAGE_EXCLUSIVE, 0, &alone), 0);
    assert_false(has_line(one, "shared"));
    assert_int_equal(check(alone), 0);
    assert_int_equal(claim(one, STORAGE_SHARED, 0, &other), STORAGE_WOULD_WAIT);
    assert_int_equal(claim(two, STORAGE_SHARED, 0, &other), STORAGE_WOULD_WAIT);
    storage_claim_release(alone);
    assert_false(has_line(one, "alone"));
    claim_and_release(two, STORAGE_EXCLUSIVE, 0);
}

/* It fails, and leaves nothing. */
static void a_line_that_cannot_be_taken_over_is_given_back(void **state)
{
    struct storage_claim *held, *alone;

    (void)state;
    assert_int_equal(claim(two, STORAGE_SHARED, 0, &held), 0);
    claim_and_release(one, STORAGE_SHARED, 0);
    assert_int_equal(claim(one, STORAGE_EXCLUSIVE, 0, &alone), STORAGE_WOULD_WAIT);
    assert_int_equal(claim(one, STORAGE_EXCLUSIVE, 200, &alone), STORAGE_WOULD_WAIT);
    assert_false(has_line(one, "waiting"));
    storage_claim_release(held);
    claim_and_release(two, STORAGE_EXCLUSIVE, LONG_MS);
    claim_and_release(one, STORAGE_EXCLUSIVE, 0);
}

static void a_line_is_renewed_in_its_second_half(void **state)
{
    struct storage_claim *held;
    long long first_s, second_s;

    (void)state;
    assert_int_equal(claim(one, STORAGE_SHARED, 0, &held), 0);
    first_s = end_of_line(one);
    s3_pass_time(one, LEASE_S / 2 + 1);
    assert_int_equal(check(held), 0);
    second_s = end_of_line(one);
    assert_true(second_s > first_s + LEASE_S / 4);
    s3_pass_time(one, LEASE_S / 2 + 1);
    claim_and_release(one, STORAGE_SHARED, 0);
    assert_true(end_of_line(one) > second_s + LEASE_S / 4);
    assert_int_equal(check(held), 0);
    storage_claim_release(held);
}

static void a_line_that_nobody_uses_is_given_back(void **state)
{
    (void)state;
    claim_and_release(one, STORAGE_SHARED, 0);
    assert_true(has_line(one, "shared"));
    s3_pass_time(one, KEPT_S + 1);
    wait_until_line_is_gone(one);
    claim_and_release(one, STORAGE_SHARED, 0);
}

static void a_server_that_ends_gives_its_lines_back(void **state)
{
    (void)state;
    claim_and_release(one, STORAGE_SHARED, 0);
    assert_true(has_line(two, "shared"));
    store_close(stores[0]);
    stores[0] = NULL;
    assert_false(has_line(two, "shared"));
    claim_and_release(two, STORAGE_EXCLUSIVE, 0);
}

/* --- two servers ----------------------------------------------------------------------------- */

/* The first one would keep its line for longer than the second one waits. */
static void a_kept_line_is_given_back_if_another_server_wants_it(void **state)
{
    (void)state;
    claim_and_release(one, STORAGE_SHARED, 0);
    s3_pass_time(one, -LEASE_S);
    claim_and_release(two, STORAGE_EXCLUSIVE, (LEASE_S - 2) * 1000);
    s3_pass_time(one, LEASE_S);
    claim_and_release(one, STORAGE_SHARED, LONG_MS);
    assert_false(has_line(one, "shared")); /* it does not keep it now */
    s3_pass_time(one, 61);
    claim_and_release(one, STORAGE_SHARED, LONG_MS);
    assert_true(has_line(one, "shared"));
}

static void *share_again_and_again(void *is_over)
{
    struct storage_claim *held, *next;

    assert_int_equal(claim(one, STORAGE_SHARED, LONG_MS, &held), 0);
    while (!__atomic_load_n((bool *)is_over, __ATOMIC_SEQ_CST)) {
        int r = claim(one, STORAGE_SHARED, 0, &next);

        storage_claim_release(held);
        if (r != 0 && claim(one, STORAGE_SHARED, LONG_MS, &next) != 0)
            return NULL;
        held = next;
    }
    storage_claim_release(held);
    return is_over;
}

static void sharers_without_a_pause_do_not_starve_another_server(void **state)
{
    bool is_over = false;
    pthread_t thread;
    void *result;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, share_again_and_again, &is_over), 0);
    while (!has_line(two, "shared"))
        ;
    claim_and_release(two, STORAGE_EXCLUSIVE, LONG_MS);
    claim_and_release(two, STORAGE_EXCLUSIVE, LONG_MS);
    __atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
    pthread_join(thread, &result);
    assert_non_null(result);
}

static void the_line_of_a_killed_server_runs_out(void **state)
{
    const struct storage_step step = {.kind = STORAGE_PUT, .key = "x"};
    struct storage_claim *alone;
    struct error err = {0};

    (void)state;
    claim_and_release(one, STORAGE_SHARED, 0);
    small_store_cut_off(bucket, "AK-0-", 0);
    (void)!storage_write(one, &step, 1, &err);
    s3_pass_time(two, LEASE_S - 2);
    assert_int_equal(claim(two, STORAGE_EXCLUSIVE, 300, &alone), STORAGE_WOULD_WAIT);
    s3_pass_time(two, 2 + DRIFT_S + 1);
    claim_and_release(two, STORAGE_EXCLUSIVE, 0);
}

/* It goes on with a line that is not the one with which its request began. */
static void a_line_that_was_lost_and_taken_again_is_another_one(void **state)
{
    struct storage_claim *before, *after;

    (void)state;
    assert_int_equal(claim(one, STORAGE_SHARED, 0, &before), 0);
    s3_pass_time(one, 1000);
    s3_pass_time(two, 1000);
    claim_and_release(two, STORAGE_EXCLUSIVE, 0);
    assert_int_equal(claim(one, STORAGE_SHARED, 0, &after), 0);
    assert_int_equal(check(after), 0);
    assert_int_equal(check(before), STORAGE_CLAIM_LOST);
    storage_claim_release(before);
    assert_int_equal(check(after), 0);
    storage_claim_release(after);
}

static void a_lost_claim_is_noticed(void **state)
{
    struct storage_claim *held, *alone;

    (void)state;
    assert_int_equal(claim(one, STORAGE_SHARED, 0, &held), 0);
    s3_pass_time(one, 1000);
    s3_pass_time(two, 1000);
    assert_int_equal(claim(two, STORAGE_EXCLUSIVE, 0, &alone), 0);
    assert_int_equal(check(held), STORAGE_CLAIM_LOST);
    storage_claim_release(held);
    assert_int_equal(check(alone), 0);
    storage_claim_release(alone);
}

/* --- all at once ----------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 40 };

static int sharers, loners;

/* Nobody shares while somebody is alone. Returns whether that was so. */
static bool use_once(struct storage *storage, enum storage_claim_mode mode)
{
    int *mine = mode == STORAGE_SHARED ? &sharers : &loners;
    struct storage_claim *held;
    bool is_right;

    if (claim(storage, mode, LONG_MS, &held) != 0)
        return false;
    is_right = __atomic_add_fetch(mine, 1, __ATOMIC_SEQ_CST) == 1 || mode == STORAGE_SHARED;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    is_right = is_right && check(held) == 0 &&
               __atomic_load_n(mode == STORAGE_SHARED ? &loners : &sharers, __ATOMIC_SEQ_CST) == 0;
    __atomic_sub_fetch(mine, 1, __ATOMIC_SEQ_CST);
    storage_claim_release(held);
    return is_right;
}

static void *use_often(void *object)
{
    size_t number = *(const size_t *)object;

    for (size_t i = 0; i < ROUNDS; i++)
        if (!use_once(number % 2 ? one : two,
                      (i + number) % 10 == 0 ? STORAGE_EXCLUSIVE : STORAGE_SHARED))
            return NULL;
    return object;
}

static void nobody_shares_while_somebody_is_alone(void **state)
{
    size_t numbers[THREADS];
    pthread_t threads[THREADS];
    void *result;

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, use_often, &numbers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_of_a_server_share_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kept_line_is_taken_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_that_cannot_be_taken_over_is_given_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_line_is_renewed_in_its_second_half, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_that_nobody_uses_is_given_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_ends_gives_its_lines_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kept_line_is_given_back_if_another_server_wants_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(sharers_without_a_pause_do_not_starve_another_server,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_line_of_a_killed_server_runs_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_that_was_lost_and_taken_again_is_another_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_lost_claim_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_shares_while_somebody_is_alone, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
