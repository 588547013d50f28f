#include "registry/storage/s3/breaker.h"

#include <errno.h>

#include "tests/unit/check.h"

static struct breaker *breaker;

static int set_up(void **state)
{
    (void)state;
    breaker = breaker_new();
    return breaker ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    breaker_free(breaker);
    return 0;
}

/* A request that is sent at began_ms and ends at now_ms. */
static enum breaker_turn send_one(enum breaker_result result, int64_t began_ms, int64_t now_ms)
{
    enum breaker_turn turn = breaker_ask(breaker, true, began_ms);

    if (turn != BREAKER_REFUSED)
        breaker_note(breaker, turn, result, result == BREAKER_FAILED ? "gone" : NULL, began_ms,
                     now_ms);
    return turn;
}

static bool is_open(void)
{
    struct breaker_counters counters;

    breaker_count(breaker, &counters);
    return counters.is_open;
}

static void open_breaker(void)
{
    for (int64_t at = 0; at <= BREAKER_SPAN_MS; at += BREAKER_SPAN_MS / 5)
        assert_int_equal(send_one(BREAKER_FAILED, at, at), BREAKER_PASSED);
    assert_true(is_open());
}

static void it_opens_after_failures_in_a_row_for_a_while(void **state)
{
    struct breaker_counters counters;
    struct error err;

    (void)state;
    for (int i = 0; i < 100; i++) /* many, but within a moment */
        assert_int_equal(send_one(BREAKER_FAILED, 1000, 1001), BREAKER_PASSED);
    assert_false(is_open());
    send_one(BREAKER_ANSWERED, 2000, 2001);
    send_one(BREAKER_FAILED, 3000, 3000 + BREAKER_SPAN_MS); /* a while, but few */
    assert_false(is_open());
    send_one(BREAKER_ANSWERED, 14000, 14001);
    open_breaker();
    assert_int_equal(send_one(BREAKER_FAILED, BREAKER_SPAN_MS, BREAKER_SPAN_MS), BREAKER_REFUSED);
    breaker_count(breaker, &counters);
    assert_int_equal(counters.requests, 109);
    assert_int_equal(counters.failures, 107);
    assert_int_equal(counters.refused, 1);
    assert_int_equal(breaker_fail(breaker, &err), -EHOSTDOWN);
    assert_says(&err, "the store does not answer: gone");
}

/* They hang for as long as the breaker needs. */
static void requests_that_hang_together_open_it(void **state)
{
    (void)state;
    for (int i = 0; i < BREAKER_FAILURES; i++)
        assert_int_equal(breaker_ask(breaker, true, 100), BREAKER_PASSED);
    for (int i = 0; i < BREAKER_FAILURES; i++)
        breaker_note(breaker, BREAKER_PASSED, BREAKER_FAILED, NULL, 100, 100 + BREAKER_SPAN_MS);
    assert_true(is_open());
}

static void half_of_all_failing_keeps_it_closed(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 1000000; at += 500)
        assert_int_equal(send_one(at % 1000 ? BREAKER_FAILED : BREAKER_ANSWERED, at, at + 100),
                         BREAKER_PASSED);
}

static void one_probe_at_a_time_closes_it(void **state)
{
    int64_t late = BREAKER_SPAN_MS + 1000;

    (void)state;
    open_breaker();
    assert_int_equal(breaker_ask(breaker, false, late), BREAKER_REFUSED);
    assert_int_equal(breaker_ask(breaker, true, late), BREAKER_PROBES);
    assert_int_equal(breaker_ask(breaker, true, late), BREAKER_REFUSED);
    breaker_note(breaker, BREAKER_PROBES, BREAKER_ANSWERED, NULL, late, late + 1);
    assert_false(is_open());
    assert_int_equal(breaker_ask(breaker, false, late + 1), BREAKER_PASSED);
}

static void probes_that_fail_come_more_rarely(void **state)
{
    int64_t pause = 0, at = BREAKER_SPAN_MS;

    (void)state;
    open_breaker();
    for (int i = 0; i < 10; i++) {
        int64_t began = at;

        while (send_one(BREAKER_FAILED, at, at) == BREAKER_REFUSED)
            at += 10;
        assert_true(at - began <= BREAKER_PAUSE_MS + 10);
        pause = at - began;
    }
    assert_true(pause >= BREAKER_PAUSE_MS / 2);
}

static void a_probe_that_was_not_sent_leaves_the_turn_to_another(void **state)
{
    int64_t late = BREAKER_SPAN_MS + 1000;

    (void)state;
    open_breaker();
    assert_int_equal(send_one(BREAKER_NOTHING, late, late), BREAKER_PROBES);
    assert_int_equal(send_one(BREAKER_ANSWERED, late, late), BREAKER_PROBES);
    assert_false(is_open());
}

/* Requests that were on their way when it opened. */
static void late_answers_count(void **state)
{
    int64_t late = BREAKER_SPAN_MS + 1000;

    (void)state;
    assert_int_equal(breaker_ask(breaker, true, 0), BREAKER_PASSED);
    assert_int_equal(breaker_ask(breaker, true, 0), BREAKER_PASSED);
    open_breaker();
    breaker_note(breaker, BREAKER_PASSED, BREAKER_FAILED, NULL, 0, late);
    assert_true(is_open());
    breaker_note(breaker, BREAKER_PASSED, BREAKER_ANSWERED, NULL, 0, late);
    assert_false(is_open());
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_opens_after_failures_in_a_row_for_a_while),
        CASE(requests_that_hang_together_open_it),
        CASE(half_of_all_failing_keeps_it_closed),
        CASE(one_probe_at_a_time_closes_it),
        CASE(probes_that_fail_come_more_rarely),
        CASE(a_probe_that_was_not_sent_leaves_the_turn_to_another),
        CASE(late_answers_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
