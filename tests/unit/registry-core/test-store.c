#include "registry/core/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "tests/unit/registry-core/support.h"

static void opening_makes_the_directories(void **state)
{
    struct store *store = open_store();
    struct error err = {0};

    (void)state;
    assert_tree_is("root", "docker/\ndocker/registry/\ndocker/registry/v2/\n");
    assert_int_equal(store_check(store, &err), 0);
    store_close(store);
    store_close(NULL);
    store_close(open_store());
}

static void servers_and_readers_share_the_store_and_an_offline_collector_is_exclusive(void **state)
{
    struct store *one = open_store(), *two = open_store(), *three;
    struct error err = {0};

    (void)state;
    assert_int_equal(open_store_at("root", FILESYSTEM_EXCLUSIVE, &three, &err), -EBUSY);
    assert_says(&err, "a server is running on root");
    store_close(one);
    assert_int_equal(open_store_at("root", FILESYSTEM_EXCLUSIVE, &three, &err), -EBUSY);
    store_close(two);
    assert_int_equal(open_store_at("root", FILESYSTEM_EXCLUSIVE, &three, &err), 0);
    assert_int_equal(open_store_at("root", FILESYSTEM_SERVES, &one, &err), -EBUSY);
    assert_says(&err, "garbage is being collected in root; wait");
    assert_int_equal(open_store_at("root", FILESYSTEM_EXCLUSIVE, &one, &err), -EBUSY);
    assert_int_equal(open_store_at("root", FILESYSTEM_LOOKS, &one, &err), -EBUSY);
    store_close(three);
    one = open_store();
    assert_int_equal(open_store_at("root", FILESYSTEM_LOOKS, &two, &err), 0);
    store_close(one);
    assert_int_equal(open_store_at("root", FILESYSTEM_EXCLUSIVE, &three, &err), -EBUSY);
    store_close(two);
}

/* A mistyped directory must be reported. */
static void the_collector_creates_no_store(void **state)
{
    struct store *store;
    struct error err = {0};

    (void)state;
    assert_int_equal(open_store_at("root", FILESYSTEM_LOOKS, &store, &err), -ENOENT);
    assert_int_equal(open_store_at("root", FILESYSTEM_EXCLUSIVE, &store, &err), -ENOENT);
    assert_says(&err, "cannot open the storage directory root");
    assert_is_absent("root");
    make_directory("root");
    assert_int_equal(open_store_at("root", FILESYSTEM_EXCLUSIVE, &store, &err), -ENOENT);
    assert_says(&err, "cannot open the storage directory root/docker/registry/v2");
    assert_tree_is("root", "");
}

static void only_a_directory_can_be_opened(void **state)
{
    struct store *store;
    struct error err = {0};

    (void)state;
    make_file("root", "");
    assert_int_equal(open_store_at("root", FILESYSTEM_SERVES, &store, &err), -ENOTDIR);
    assert_says(&err, "cannot open the storage directory root");
    assert_int_equal(open_store_at("root/below", FILESYSTEM_SERVES, &store, &err), -ENOTDIR);
    make_file("other/docker/registry/v2", "");
    assert_int_equal(open_store_at("other", FILESYSTEM_SERVES, &store, &err), -ENOTDIR);
    assert_int_equal(open_store_at("", FILESYSTEM_SERVES, &store, &err), -ENOENT);
}

static void a_missing_storage_is_not_healthy(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct error err = {0};

    (void)state;
    assert_int_equal(rename(ROOT, "root/docker/registry/elsewhere"), 0);
    assert_int_equal(store_check(store, &err), -ENOENT);
    assert_says(&err, "cannot reach the storage at root/docker/registry/v2");
    make_directory(ROOT);
    assert_int_equal(store_check(store, &err), -ESTALE);
    assert_int_equal(remove(ROOT), 0);
    assert_int_equal(rename("root/docker/registry/elsewhere", ROOT), 0);
    assert_int_equal(store_check(store, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(opening_makes_the_directories),
        scratch_test(servers_and_readers_share_the_store_and_an_offline_collector_is_exclusive),
        scratch_test(the_collector_creates_no_store),
        scratch_test(only_a_directory_can_be_opened),
        scratch_test(a_missing_storage_is_not_healthy),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
