/* The line for memory: order, bounds, and that nobody is forgotten. */
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "registry/storage/s3/upload-budget.h"
#include "tests/unit/check.h"

enum { TOTAL = 30, SILENT_MS = 100 };

/* Never called: nothing is silent for that long. */
static void keep(struct upload_grant *grant)
{
    (void)grant;
}

/* As functions of an upload do, so that its memory is not taken back meanwhile. */
static bool ask(struct upload_budget *budget, struct upload_grant *grant, size_t size)
{
    bool result;

    upload_budget_use(budget, grant);
    result = upload_budget_ask(budget, grant, size);
    upload_budget_unuse(budget, grant);
    return result;
}

static bool wait_for(struct upload_budget *budget, struct upload_grant *grant)
{
    bool result;

    upload_budget_use(budget, grant);
    result = upload_budget_wait(budget, grant);
    upload_budget_unuse(budget, grant);
    return result;
}

static unsigned told;

static void count_notice(void *object)
{
    __atomic_add_fetch(&told, 1, __ATOMIC_SEQ_CST);
    if (object)
        __atomic_store_n((bool *)object, true, __ATOMIC_SEQ_CST);
}

static void the_first_in_the_line_is_the_next(void **state)
{
    struct upload_budget *budget = upload_budget_new(TOTAL, UINT_MAX, keep);
    struct upload_grant all = {0}, large = {0}, small = {0};

    (void)state;
    assert_true(ask(budget, &all, TOTAL - 5));
    assert_false(ask(budget, &large, 20));
    assert_false(ask(budget, &small, 5)); /* it would fit, but stays behind */
    assert_true(upload_budget_is_short(budget));
    upload_budget_shrink(budget, &all, 10);
    assert_true(ask(budget, &large, 20));
    assert_false(ask(budget, &small, 5));
    assert_int_equal(upload_budget_count(budget), 30);
    upload_budget_shrink(budget, &large, 0);
    assert_true(ask(budget, &small, 5));
    assert_false(upload_budget_is_short(budget));
    upload_budget_shrink(budget, &all, 0);
    upload_budget_shrink(budget, &small, 0);
    assert_int_equal(upload_budget_count(budget), 0);
    upload_budget_free(budget);
}

static void one_who_leaves_lets_the_next_one_pass(void **state)
{
    struct upload_budget *budget = upload_budget_new(TOTAL, UINT_MAX, keep);
    struct upload_grant all = {0}, large = {0}, small = {0}, last = {0};

    (void)state;
    assert_true(ask(budget, &all, 25));
    assert_false(ask(budget, &large, 20));
    assert_false(ask(budget, &small, 5));
    assert_false(ask(budget, &last, 5));
    upload_budget_shrink(budget, &large, 0);
    assert_true(ask(budget, &small, 5));
    upload_budget_shrink(budget, &last, 0); /* the end of the line */
    assert_false(ask(budget, &large, 20));
    upload_budget_shrink(budget, &all, 0);
    assert_true(ask(budget, &large, 20));
    upload_budget_shrink(budget, &large, 0);
    upload_budget_shrink(budget, &small, 0);
    upload_budget_free(budget);
}

/* Such as a tail that another server with larger parts has left. */
static void more_than_all_is_granted_to_one_who_is_alone(void **state)
{
    struct upload_budget *budget = upload_budget_new(TOTAL, UINT_MAX, keep);
    struct upload_grant one = {0}, huge = {0};

    (void)state;
    assert_true(ask(budget, &one, 1));
    assert_false(ask(budget, &huge, 100));
    upload_budget_shrink(budget, &one, 0);
    assert_true(ask(budget, &huge, 100));
    assert_false(ask(budget, &one, 1));
    upload_budget_shrink(budget, &huge, 0);
    assert_true(ask(budget, &one, 1));
    upload_budget_shrink(budget, &one, 0);
    upload_budget_free(budget);
}

static void notices_come_once(void **state)
{
    struct upload_budget *budget = upload_budget_new(TOTAL, UINT_MAX, keep);
    struct upload_grant all = {0}, one = {0}, two = {0};

    (void)state;
    told = 0;
    assert_true(ask(budget, &all, TOTAL));
    assert_false(upload_budget_notify(budget, &all, count_notice, NULL));
    assert_false(ask(budget, &one, TOTAL));
    assert_false(ask(budget, &two, TOTAL));
    assert_true(upload_budget_notify(budget, &one, count_notice, NULL));
    assert_int_equal(told, 0);
    upload_budget_shrink(budget, &all, 0);
    assert_int_equal(told, 1);
    assert_true(upload_budget_notify(budget, &two, count_notice, NULL));
    upload_budget_end(budget);
    assert_int_equal(told, 2);
    assert_false(upload_budget_notify(budget, &two, count_notice, NULL));
    assert_false(wait_for(budget, &two));
    upload_budget_shrink(budget, &one, 0);
    upload_budget_shrink(budget, &two, 0);
    assert_int_equal(told, 2);
    upload_budget_free(budget);
}

/* A thousand uploads of one owner delay the next one of another by one, not by a thousand. */
static void owners_take_turns(void **state)
{
    struct upload_budget *budget = upload_budget_new(TOTAL, UINT_MAX, keep);
    struct upload_grant busy[5], other = {.owner = 2};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        busy[i] = (struct upload_grant){.owner = 1};
        assert_int_equal(ask(budget, &busy[i], 10), i < 3);
    }
    assert_false(ask(budget, &other, 10));
    upload_budget_shrink(budget, &busy[0], 0);
    assert_true(ask(budget, &other, 10));
    assert_false(ask(budget, &busy[3], 10));
    upload_budget_shrink(budget, &other, 0);
    assert_true(ask(budget, &busy[3], 10));
    for (unsigned i = 1; i < 5; i++)
        upload_budget_shrink(budget, &busy[i], 0);
    assert_int_equal(upload_budget_count(budget), 0);
    upload_budget_free(budget);
}

/* --- memory that nobody uses ------------------------------------------------------------------ */

static struct upload_budget *taker;

static void give_all_back(struct upload_grant *grant)
{
    count_notice(NULL);
    upload_budget_shrink(taker, grant, 0);
}

static void memory_that_nobody_uses_is_taken_back(void **state)
{
    struct upload_grant used = {0}, unused = {0}, one = {0};

    (void)state;
    told = 0;
    taker = upload_budget_new(TOTAL, SILENT_MS, give_all_back);
    upload_budget_use(taker, &used);
    assert_true(ask(taker, &used, 20));
    upload_budget_use(taker, &unused);
    assert_true(ask(taker, &unused, 10));
    upload_budget_unuse(taker, &unused);
    assert_false(ask(taker, &one, 10));
    assert_true(wait_for(taker, &one));
    assert_int_equal(told, 1);
    upload_budget_use(taker, &unused); /* it is over */
    upload_budget_unuse(taker, &unused);
    assert_int_equal(unused.size, 0);
    assert_int_equal(used.size, 20);
    upload_budget_shrink(taker, &used, 0);
    upload_budget_unuse(taker, &used);
    upload_budget_shrink(taker, &one, 0);
    upload_budget_free(taker);
}

/* --- many threads ----------------------------------------------------------------------------- */

enum { THREADS = 16, ROUNDS = 500 };

static void wait_for_notice(struct upload_budget *budget, struct upload_grant *grant, size_t size)
{
    bool is_told = false;

    if (ask(budget, grant, size) || !upload_budget_notify(budget, grant, count_notice, &is_told))
        return;
    while (!__atomic_load_n(&is_told, __ATOMIC_SEQ_CST))
        nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
}

static void *ask_again_and_again(void *object)
{
    struct upload_budget *budget = object;

    for (size_t i = 0; i < ROUNDS; i++) {
        struct upload_grant grant = {0};

        if (i % 2)
            wait_for_notice(budget, &grant, i % TOTAL + 1);
        else if (!ask(budget, &grant, i % TOTAL + 1))
            wait_for(budget, &grant);
        assert_true(ask(budget, &grant, 1));
        assert_true(upload_budget_count(budget) <= TOTAL);
        upload_budget_shrink(budget, &grant, i % 3);
        upload_budget_shrink(budget, &grant, 0);
    }
    return NULL;
}

static void many_threads_share_it(void **state)
{
    struct upload_budget *budget = upload_budget_new(TOTAL, UINT_MAX, keep);
    pthread_t threads[THREADS];

    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_again_and_again, budget), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(upload_budget_count(budget), 0);
    assert_false(upload_budget_is_short(budget));
    upload_budget_free(budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_in_the_line_is_the_next),
        cmocka_unit_test(one_who_leaves_lets_the_next_one_pass),
        cmocka_unit_test(more_than_all_is_granted_to_one_who_is_alone),
        cmocka_unit_test(notices_come_once),
        cmocka_unit_test(owners_take_turns),
        cmocka_unit_test(memory_that_nobody_uses_is_taken_back),
        cmocka_unit_test(many_threads_share_it),
    };

    return cmocka_run_group_tests_name("s3-upload-budget", tests, NULL, NULL);
}
