/* Health of a remote storage, which a test breaks and mends. */
#include "registry/core/health.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/check.h"

/* A storage of which only the health is used. All values are atomic. */
static struct {
    struct storage storage;
    int result; /* of a check: 0 or a code */
    unsigned checks;
    bool is_down, is_local;
} fake;

static int check(struct storage *storage, struct error *err)
{
    int code = __atomic_load_n(&fake.result, __ATOMIC_SEQ_CST);

    (void)storage;
    __atomic_add_fetch(&fake.checks, 1, __ATOMIC_SEQ_CST);
    return code ? error_set(err, code, "the bucket is gone") : 0;
}

static bool is_remote(const struct storage *storage)
{
    (void)storage;
    return !fake.is_local;
}

static void count_requests(struct storage *storage, struct storage_request_counters *ret)
{
    (void)storage;
    *ret = (struct storage_request_counters){
        .is_down = __atomic_load_n(&fake.is_down, __ATOMIC_SEQ_CST)};
}

static void close_fake(struct storage *storage)
{
    (void)storage;
}

static const struct storage_functions functions = {
    .close = close_fake,
    .check = check,
    .is_remote = is_remote,
    .count_requests = count_requests,
};

static struct store *store;
static struct health *health;

static void start(bool is_checked, unsigned threshold)
{
    struct error err = {0};

    fake.storage.functions = &functions;
    fake.result = 0;
    fake.checks = 0;
    fake.is_down = false;
    assert_int_equal(store_open(&fake.storage, &store, &err), 0);
    assert_int_equal(health_start(store,
                                  &(struct health_options){.is_checked = is_checked,
                                                           .interval_ms = 1,
                                                           .threshold = threshold},
                                  &health, &err),
                     0);
}

static void stop(void)
{
    health_stop(health);
    store_close(store);
}

static unsigned count_checks(void)
{
    return __atomic_load_n(&fake.checks, __ATOMIC_SEQ_CST);
}

static void wait_for(int result)
{
    struct error err;

    while (health_get(health, &err) != result)
        usleep(1000);
}

static void failures_in_a_row_are_unhealthy_until_one_success(void **state)
{
    struct error err = {0};
    unsigned before;

    (void)state;
    start(true, 3);
    assert_int_equal(health_get(health, &err), 0);
    before = count_checks();
    __atomic_store_n(&fake.result, EHOSTDOWN, __ATOMIC_SEQ_CST);
    wait_for(-EHOSTDOWN);
    assert_true(count_checks() >= before + 3);
    __atomic_store_n(&fake.result, 0, __ATOMIC_SEQ_CST);
    wait_for(0);
    stop();
}

static void a_storage_that_is_down_is_unhealthy_at_once(void **state)
{
    struct error err = {0};

    (void)state;
    start(true, 1000000);
    __atomic_store_n(&fake.is_down, true, __ATOMIC_SEQ_CST);
    assert_int_equal(health_get(health, &err), -EHOSTDOWN);
    __atomic_store_n(&fake.is_down, false, __ATOMIC_SEQ_CST);
    assert_int_equal(health_get(health, &err), 0);
    stop();
}

static void without_checks_only_requests_count(void **state)
{
    struct error err = {0};

    (void)state;
    start(false, 1);
    fake.result = EHOSTDOWN;
    assert_int_equal(health_get(health, &err), 0);
    __atomic_store_n(&fake.is_down, true, __ATOMIC_SEQ_CST);
    assert_int_equal(health_get(health, &err), -EHOSTDOWN);
    assert_int_equal(count_checks(), 0);
    stop();
}

static void a_directory_is_looked_at_for_each_request(void **state)
{
    struct error err = {0};

    (void)state;
    fake.is_local = true;
    start(true, 3);
    assert_int_equal(health_get(health, &err), 0);
    fake.result = ENOENT;
    assert_int_equal(health_get(health, &err), -ENOENT);
    assert_int_equal(count_checks(), 2);
    stop();
    fake.is_local = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_in_a_row_are_unhealthy_until_one_success),
        cmocka_unit_test(a_storage_that_is_down_is_unhealthy_at_once),
        cmocka_unit_test(without_checks_only_requests_count),
        cmocka_unit_test(a_directory_is_looked_at_for_each_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
