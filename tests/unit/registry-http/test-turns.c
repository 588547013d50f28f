#include "registry/http/turns.h"

#include "tests/unit/check.h"

enum { BUSY = 1, QUIET = 2, OTHER = 3 };

static struct turns turns;

static void add_all(struct turn *all, size_t count, uint8_t flow)
{
    for (size_t i = 0; i < count; i++) {
        all[i] = (struct turn){.flow = flow};
        turns_add(&turns, &all[i]);
    }
}

static void many_connections_of_one_client_delay_another_by_one_turn(void **state)
{
    struct turn busy[1000], quiet[2];

    (void)state;
    turns_init(&turns);
    add_all(busy, 1000, BUSY);
    add_all(quiet, 2, QUIET);
    assert_ptr_equal(turns_take(&turns), &busy[0]);
    assert_ptr_equal(turns_take(&turns), &quiet[0]);
    assert_ptr_equal(turns_take(&turns), &busy[1]);
    assert_ptr_equal(turns_take(&turns), &quiet[1]);
    for (size_t i = 2; i < 1000; i++)
        assert_ptr_equal(turns_take(&turns), &busy[i]);
    assert_null(turns_take(&turns));
}

/*
 * Its turn comes after those of clients that were queued before, not after all turns of its own
 * client.
 */
static void a_connection_that_continues_queues_behind_other_clients(void **state)
{
    struct turn busy[3], quiet[1];
    struct turn *taken;

    (void)state;
    turns_init(&turns);
    add_all(busy, 3, BUSY);
    taken = turns_take(&turns);
    add_all(quiet, 1, QUIET);
    turns_add(&turns, taken);
    assert_ptr_equal(turns_take(&turns), &busy[1]);
    assert_ptr_equal(turns_take(&turns), &quiet[0]);
    assert_ptr_equal(turns_take(&turns), &busy[2]);
    assert_ptr_equal(turns_take(&turns), taken);
    assert_true(turns_is_empty(&turns));
}

static void a_queued_connection_is_not_queued_twice(void **state)
{
    struct turn one = {.flow = OTHER};

    (void)state;
    turns_init(&turns);
    turns_add(&turns, &one);
    turns_add(&turns, &one);
    assert_ptr_equal(turns_take(&turns), &one);
    assert_null(turns_take(&turns));
    turns_add(&turns, &one);
    assert_ptr_equal(turns_take(&turns), &one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_connections_of_one_client_delay_another_by_one_turn),
        cmocka_unit_test(a_connection_that_continues_queues_behind_other_clients),
        cmocka_unit_test(a_queued_connection_is_not_queued_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
