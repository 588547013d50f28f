/* Collections of garbage in a bucket: many requests at a time, and longer than promises count. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registry/storage/storage.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-storage-s3/server-fixture.h"

enum { HOUR_S = 60 * 60, DAY_S = 24 * HOUR_S, MANY = 64, CHILDREN = 20, DEAD = 5 };

static struct small_store *bucket;

static int set_up(void **state)
{
    (void)state;
    bucket = servers_start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    servers_end();
    return 0;
}

static void put_text(struct storage *storage, const char *key, const char *text)
{
    const struct storage_step step = {
        .kind = STORAGE_PUT, .key = key, .data = text, .size = strlen(text)};
    struct error err = {0};

    if (storage_write(storage, &step, 1, &err) != 0)
        fail_msg("%s", err.text);
}

static void put(struct storage *storage, const char *key)
{
    put_text(storage, key, "x");
}

static bool exists(struct storage *storage, const char *key)
{
    struct storage_object object;
    struct error err = {0};
    int r = storage_head(storage, key, STORAGE_MAY_WAIT, &object, &err);

    assert_true(r == 0 || r == STORAGE_NOT_FOUND);
    return r == 0;
}

/* Removes the key unless it was used since then. Returns whether it was spared, or negative. */
static int remove_unused(struct storage *storage, const char *key, int64_t moment_s)
{
    struct storage_removal removal = {
        .keys = &key, .key_count = 1, .witnesses = &key, .witness_count = 1};
    struct error err = {0};
    int r = storage_remove_unused(storage, &removal, 1, moment_s, &err);

    return r < 0 ? r : removal.is_spared;
}

static unsigned count_lines(const char *log, const char *part)
{
    unsigned count = 0;

    for (const char *at = log; (at = strstr(at, part)); at++)
        count++;
    return count;
}

static void the_keys_of_a_batch_go_with_one_request(void **state)
{
    CLEANUP(store_closep) struct store *server = server_open(1);
    struct storage *storage = store_get_storage(server);
    char keys[MANY][32], key[64];
    const char *texts[MANY];
    struct storage_removal removals[MANY];
    struct error err = {0};
    char *log;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        snprintf(keys[i], sizeof(keys[i]), "many/%zu/", i);
        texts[i] = keys[i];
        removals[i] = (struct storage_removal){.keys = &texts[i], .key_count = 1};
        for (size_t k = 0; k < 3; k++) {
            snprintf(key, sizeof(key), "many/%zu/%zu", i, k);
            put(storage, key);
        }
    }
    free(small_store_take_log(bucket));
    if (storage_remove_unused(storage, removals, MANY, storage_now(storage) + DAY_S, &err) < 0)
        fail_msg("%s", err.text);
    log = small_store_take_log(bucket);
    assert_int_equal(count_lines(log, "POST many\n"), 1);
    assert_int_equal(count_lines(log, "DELETE "), 0);
    assert_int_equal(small_store_count(bucket, "many/"), 0);
    free(log);
}

static void a_prefix_goes_with_one_request_for_a_thousand_keys(void **state)
{
    CLEANUP(store_closep) struct store *server = server_open(1);
    struct storage *storage = store_get_storage(server);
    const char *prefix = "all/";
    struct error err = {0};
    char key[64], *log;

    (void)state;
    for (size_t i = 0; i < CHILDREN; i++) {
        snprintf(key, sizeof(key), "all/a-b/%zu", i);
        put(storage, key);
    }
    put(storage, "other");
    free(small_store_take_log(bucket));
    assert_int_equal(storage_remove(storage, &prefix, 1, &err), 0);
    log = small_store_take_log(bucket);
    assert_string_equal(log, "GET list\nPOST many\n");
    free(log);
    assert_int_equal(small_store_count(bucket, "all/"), 0);
    assert_true(exists(storage, "other"));
}

/* --- servers that were killed ------------------------------------------------------------------ */

static void *remove_garbage(void *storage)
{
    return (void *)(intptr_t)remove_unused(storage, "garbage", storage_now(storage) + DAY_S);
}

/* Their leases have the number 0, and nobody renews them. */
static void servers_that_were_killed_are_waited_for_at_once(void **state)
{
    CLEANUP(store_closep) struct store *server = server_open(1);
    struct storage *storage = store_get_storage(server);
    pthread_t thread;
    char key[64];
    void *result;

    (void)state;
    put(storage, "garbage");
    for (int i = 0; i < DEAD; i++) {
        snprintf(key, sizeof(key), "registryd/servers/dead-%d", i);
        put_text(storage, key, "0 id\n");
    }
    assert_int_equal(pthread_create(&thread, NULL, remove_garbage, storage), 0);
    while (small_store_count(bucket, "registryd/doomed") == 0)
        usleep(1000);
    assert_true(exists(storage, "garbage"));
    small_store_pass_time(bucket, 21); /* when the lease of one runs out */
    pthread_join(thread, &result);
    assert_int_equal((intptr_t)result, false);
    assert_false(exists(storage, "garbage"));
}

/* --- a collection that takes longer than promises count ---------------------------------------- */

/* Days pass while the collector works. */
static void pass_days(struct storage *collector, unsigned days)
{
    struct error err = {0};
    bool is_used;

    for (unsigned i = 0; i < 2 * days; i++) {
        small_store_pass_time(bucket, DAY_S / 2);
        put(collector, "work"); /* its clock follows */
        assert_int_equal(storage_used_since(collector, "work", storage_now(collector) + DAY_S,
                                            &is_used, &err), 0);
    }
}

static void a_promise_during_a_collection_counts_until_its_end(void **state)
{
    CLEANUP(store_closep) struct store *one = server_open(1);
    CLEANUP(store_closep) struct store *two = server_open(2);
    struct storage *collector = store_get_storage(one), *other = store_get_storage(two);
    struct storage_object object;
    struct error err = {0};
    int64_t moment_s;

    (void)state;
    put(other, "wanted");
    put(other, "garbage");
    small_store_pass_time(bucket, 3 * DAY_S);
    put(collector, "work");
    moment_s = storage_now(collector) - DAY_S;
    assert_int_equal(storage_begin_collection(collector, &err), 0);
    put(other, "work");
    assert_int_equal(storage_refresh(other, "wanted", STORAGE_MAY_WAIT, &object, &err), 0);
    pass_days(collector, 20);
    put(other, "work");
    assert_int_equal(storage_clean_up(other, HOUR_S, &err), 0);
    assert_int_equal(remove_unused(collector, "wanted", moment_s), true);
    assert_int_equal(remove_unused(collector, "garbage", moment_s), false);
    assert_false(exists(other, "garbage"));
    storage_end_collection(collector);
    /* Then promises of that time count no more. */
    assert_int_equal(storage_clean_up(other, HOUR_S, &err), 0);
    assert_int_equal(small_store_count(bucket, "registryd/promises/"), 0);
    assert_int_equal(small_store_count(bucket, "registryd/collections/"), 0);
    assert_int_equal(remove_unused(collector, "wanted", moment_s), false);
}

static void a_collector_that_was_stopped_for_days_removes_nothing(void **state)
{
    CLEANUP(store_closep) struct store *one = server_open(1);
    CLEANUP(store_closep) struct store *two = server_open(2);
    struct storage *collector = store_get_storage(one), *other = store_get_storage(two);
    struct error err = {0};
    int64_t moment_s;

    (void)state;
    put(other, "wanted");
    small_store_pass_time(bucket, 3 * DAY_S);
    put(collector, "work");
    moment_s = storage_now(collector) - DAY_S;
    assert_int_equal(storage_begin_collection(collector, &err), 0);
    small_store_pass_time(bucket, 3 * DAY_S);
    put(other, "work");
    assert_int_equal(storage_clean_up(other, HOUR_S, &err), 0); /* the record has run out */
    assert_int_equal(small_store_count(bucket, "registryd/collections/"), 0);
    put(collector, "work");
    assert_int_equal(remove_unused(collector, "wanted", moment_s), -EAGAIN);
    assert_true(exists(other, "wanted"));
    storage_end_collection(collector);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_keys_of_a_batch_go_with_one_request),
        CASE(a_prefix_goes_with_one_request_for_a_thousand_keys),
        CASE(servers_that_were_killed_are_waited_for_at_once),
        CASE(a_promise_during_a_collection_counts_until_its_end),
        CASE(a_collector_that_was_stopped_for_days_removes_nothing),
    };

    return cmocka_run_group_tests_name("s3-collection", tests, NULL, NULL);
}
