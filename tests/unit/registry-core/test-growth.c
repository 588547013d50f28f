#include "registry/core/growth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/records.h"
#include "tests/unit/registry-core/support.h"
#include "tests/unit/registry-storage/memory-storage.h"

enum { HOUR_S = 60 * 60, DAY_S = 24 * HOUR_S, START_S = 1000000000 };

static struct storage *storage;

static struct store *open_memory(void)
{
    struct error err = {0};
    struct store *store;

    storage = memory_storage_new();
    assert_non_null(storage);
    assert_int_equal(store_open(storage, &store, &err), 0);
    return store;
}

static struct growth *read_growth(struct store *store)
{
    static struct growth growth;
    struct error err = {0};

    assert_int_equal(growth_read(store, &growth, &err), 0);
    return &growth;
}

static int go_on(void *object, struct error *err)
{
    (void)err;
    ++*(unsigned *)object;
    return 0;
}

static void measure(struct store *store)
{
    struct error err = {0};
    unsigned steps = 0;

    assert_int_equal(growth_measure(store, go_on, &steps, &err), 0);
}

/* A blob that two repositories have counts once. */
static void a_measurement_is_a_point(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    const struct growth *growth;
    uint64_t bytes;

    (void)state;
    push_blob(store, "a", "12345");
    push_blob(store, "a", "123");
    push_blob(store, "b/c", "12345");
    measure(store);
    growth = read_growth(store);
    assert_int_equal(growth->count, 1);
    assert_int_equal(growth->items[0].time_s, START_S);
    assert_int_equal(growth->items[0].bytes, 8);
    memory_storage_pass_time(storage, DAY_S);
    push_image(store, "b/c", "t", "x", NULL);
    measure(store);
    growth = read_growth(store);
    assert_int_equal(growth->count, 2);
    bytes = growth->items[1].bytes;
    assert_true(bytes > 9);
    assert_int_equal(growth->items[1].time_s, START_S + DAY_S);
}

static void points_are_an_hour_apart_and_due_after_a_day(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();

    (void)state;
    assert_true(growth_is_due(store));
    push_blob(store, "a", "1");
    measure(store);
    assert_false(growth_is_due(store));
    memory_storage_pass_time(storage, HOUR_S - 1);
    measure(store);
    assert_int_equal(read_growth(store)->count, 1);
    memory_storage_pass_time(storage, 1);
    measure(store);
    assert_int_equal(read_growth(store)->count, 2);
    memory_storage_pass_time(storage, DAY_S - 1);
    assert_false(growth_is_due(store));
    memory_storage_pass_time(storage, 1);
    assert_true(growth_is_due(store));
}

static void an_empty_registry_gets_no_point(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    CLEANUP_FREE char *text = NULL;
    struct error err = {0};

    (void)state;
    measure(store);
    assert_int_equal(store_read_record(store, "page/space", &text, &err), STORE_NOT_FOUND);
}

static int stop(void *object, struct error *err)
{
    (void)object;
    return error_set(err, ECANCELED, "stopped");
}

static void a_stopped_measurement_leaves_no_point(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    struct error err = {0};

    (void)state;
    push_blob(store, "a", "1");
    assert_int_equal(growth_measure(store, stop, NULL, &err), -ECANCELED);
    assert_int_equal(read_growth(store)->count, 0);
}

static void a_full_record_loses_every_second_point_of_its_older_half(void **state)
{
    struct growth *growth = calloc(1, sizeof(*growth));

    (void)state;
    assert_non_null(growth);
    for (int64_t i = 0; i < GROWTH_POINTS_MAX; i++)
        assert_true(growth_add(growth, &(struct growth_point){i * HOUR_S, (uint64_t)i}));
    assert_false(growth_add(growth, &(struct growth_point){GROWTH_POINTS_MAX * HOUR_S - 1, 7}));
    assert_true(growth_add(growth, &(struct growth_point){GROWTH_POINTS_MAX * HOUR_S, 7}));
    assert_int_equal(growth->count, GROWTH_POINTS_MAX / 4 * 3 + 1);
    assert_int_equal(growth->items[0].bytes, 0);
    assert_int_equal(growth->items[1].bytes, 2);
    assert_int_equal(growth->items[GROWTH_POINTS_MAX / 4].bytes, GROWTH_POINTS_MAX / 2);
    assert_int_equal(growth->items[growth->count - 1].bytes, 7);
    free(growth);
}

static void a_damaged_record_ends_at_the_damage(void **state)
{
    CLEANUP(store_closep) struct store *store = open_memory();
    struct error err = {0};

    (void)state;
    assert_int_equal(store_note_record(store, "page/space", "10 5\n20 6\n20 7\nx\n30 8\n", &err), 0);
    assert_int_equal(read_growth(store)->count, 2);
    assert_int_equal(store_note_record(store, "page/space", "", &err), 0);
    assert_int_equal(read_growth(store)->count, 0);
    assert_true(growth_is_due(store));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_measurement_is_a_point),
        cmocka_unit_test(points_are_an_hour_apart_and_due_after_a_day),
        cmocka_unit_test(an_empty_registry_gets_no_point),
        cmocka_unit_test(a_stopped_measurement_leaves_no_point),
        cmocka_unit_test(a_full_record_loses_every_second_point_of_its_older_half),
        cmocka_unit_test(a_damaged_record_ends_at_the_damage),
    };

    return cmocka_run_group_tests_name("growth", tests, NULL, NULL);
}
