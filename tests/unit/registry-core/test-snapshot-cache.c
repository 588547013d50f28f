#include "registry/core/snapshot-cache.h"

#include <errno.h>
#include <stdlib.h>

#include "registry/core/store.h"
#include "tests/unit/check.h"

struct numbered {
    struct snapshot snapshot;
    int number;
};

/* A source whose snapshots are 1, 2, 3... */
static struct counted {
    struct snapshot_cache *cache;
    int reads, frees;
    bool fails;
    void (*during)(void); /* called while it reads */
} counted;

static int read_number(void *object, struct snapshot **ret, struct error *err)
{
    struct numbered *numbered;

    assert_ptr_equal(object, &counted);
    counted.reads++;
    if (counted.during)
        counted.during();
    if (counted.fails)
        return error_set(err, EIO, "broken");
    numbered = calloc(1, sizeof(*numbered));
    assert_non_null(numbered);
    numbered->number = counted.reads;
    *ret = &numbered->snapshot;
    return 0;
}

static void free_number(struct snapshot *snapshot)
{
    counted.frees++;
    free(snapshot);
}

static struct snapshot_cache *make_cache(int64_t fresh_ms)
{
    const struct snapshot_source source = {
        .read = read_number, .free = free_number, .object = &counted, .fresh_ms = fresh_ms};

    counted = (struct counted){.cache = snapshot_cache_new(&source)};
    assert_non_null(counted.cache);
    return counted.cache;
}

/* The number of what the cache gives out; negative: the failure; 0: busy. */
static int get(struct snapshot_cache *cache)
{
    struct snapshot *snapshot = NULL;
    struct error err = {0};
    int number, r = snapshot_cache_get(cache, &snapshot, &err);

    if (r != 0)
        return r == STORE_BUSY ? 0 : r;
    number = ((struct numbered *)snapshot)->number;
    snapshot_cache_release(cache, snapshot);
    return number;
}

static void a_fresh_snapshot_is_read_once(void **state)
{
    struct snapshot_cache *cache = make_cache(3600 * 1000);

    (void)state;
    assert_null(snapshot_cache_peek(cache));
    assert_int_equal(get(cache), 1);
    assert_int_equal(get(cache), 1);
    snapshot_cache_expire(cache);
    assert_int_equal(get(cache), 2);
    assert_int_equal(get(cache), 2);
    assert_int_equal(counted.frees, 1);
    snapshot_cache_free(cache);
    assert_int_equal(counted.frees, 2);
}

static void a_snapshot_that_is_not_fresh_is_read_again(void **state)
{
    struct snapshot_cache *cache = make_cache(0);

    (void)state;
    assert_int_equal(get(cache), 1);
    assert_int_equal(get(cache), 2);
    snapshot_cache_free(cache);
}

static void a_reference_outlives_the_cache_entry(void **state)
{
    struct snapshot_cache *cache = make_cache(3600 * 1000);
    struct snapshot *first;

    (void)state;
    assert_int_equal(get(cache), 1);
    first = snapshot_cache_peek(cache);
    assert_int_equal(((struct numbered *)first)->number, 1);
    snapshot_cache_drop_unused(cache, 3600 * 1000);
    assert_int_equal(get(cache), 1);
    snapshot_cache_drop_unused(cache, -1);
    assert_null(snapshot_cache_peek(cache));
    assert_int_equal(counted.frees, 0);
    assert_int_equal(get(cache), 2);
    assert_int_equal(((struct numbered *)first)->number, 1);
    snapshot_cache_release(cache, first);
    assert_int_equal(counted.frees, 1);
    snapshot_cache_free(cache);
}

/* What another thread gets while one reads. */
static int meanwhile;

static void get_meanwhile(void)
{
    meanwhile = get(counted.cache);
}

static void others_get_the_snapshot_before_while_one_reads(void **state)
{
    struct snapshot_cache *cache = make_cache(3600 * 1000);

    (void)state;
    counted.during = get_meanwhile;
    assert_int_equal(get(cache), 1);
    assert_int_equal(meanwhile, 0);
    snapshot_cache_expire(cache);
    assert_int_equal(get(cache), 2);
    assert_int_equal(meanwhile, 1);
    snapshot_cache_free(cache);
}

static void expire_meanwhile(void)
{
    snapshot_cache_expire(counted.cache);
}

static void a_change_during_a_reading_is_read_afterwards(void **state)
{
    struct snapshot_cache *cache = make_cache(3600 * 1000);

    (void)state;
    counted.during = expire_meanwhile;
    assert_int_equal(get(cache), 1);
    counted.during = NULL;
    assert_int_equal(get(cache), 2);
    assert_int_equal(get(cache), 2);
    snapshot_cache_free(cache);
}

static void a_failure_is_reported_and_tried_again(void **state)
{
    struct snapshot_cache *cache = make_cache(0);

    (void)state;
    counted.fails = true;
    assert_int_equal(get(cache), -EIO);
    counted.fails = false;
    assert_int_equal(get(cache), 2);
    counted.fails = true;
    assert_int_equal(get(cache), -EIO);
    counted.fails = false;
    assert_int_equal(get(cache), 4);
    snapshot_cache_free(cache);
    assert_int_equal(counted.frees, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_snapshot_is_read_once),
        cmocka_unit_test(a_snapshot_that_is_not_fresh_is_read_again),
        cmocka_unit_test(a_reference_outlives_the_cache_entry),
        cmocka_unit_test(others_get_the_snapshot_before_while_one_reads),
        cmocka_unit_test(a_change_during_a_reading_is_read_afterwards),
        cmocka_unit_test(a_failure_is_reported_and_tried_again),
    };

    return cmocka_run_group_tests_name("snapshot-cache", tests, NULL, NULL);
}
