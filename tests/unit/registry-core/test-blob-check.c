#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "registry/core/blob-bytes.h"
#include "registry/core/checked-blobs.h"
#include "tests/unit/registry-core/support.h"

static struct store_blob find(struct store *store, struct digest digest)
{
    struct store_blob blob;
    struct error err = {0};

    assert_int_equal(store_find_blob(store, "a", &digest, STORE_MAY_WAIT, &blob, &err), 0);
    return blob;
}

static struct store_check *start(struct store *store, const struct store_blob *blob)
{
    struct store_reader *reader;
    struct store_blob now;
    struct store_check *check;
    struct error err = {0};

    assert_int_equal(store_open_bytes(store, &blob->canonical, STORE_MAY_WAIT, &now, &reader, &err),
                     0);
    assert_int_equal(store_check_start(store, blob, reader, &check, &err), 0);
    return check;
}

/* Opens the store again, as a server that has just started: it has checked nothing yet. */
static struct store *open_again(struct store *store)
{
    store_close(store);
    return open_store();
}

static struct store *open_with_hello(struct digest *ret)
{
    struct store *store = open_store();

    *ret = push_blob(store, "a", "hello");
    return open_again(store);
}

static void a_pushed_blob_is_not_hashed_again(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct store_blob first = find(store, push_blob(store, "a", "hello")), again, changed;

    (void)state;
    assert_true(store_is_checked(store, &first));
    again = find(store, push_blob(store, "a", "hello"));
    assert_true(store_is_checked(store, &again));
    /* Another file in its place, as restoring a backup makes it. */
    make_file(below("blobs/sha256/2c/%s/new", first.canonical.hex), "hellp");
    assert_int_equal(rename(below("blobs/sha256/2c/%s/new", first.canonical.hex),
                            below("blobs/sha256/2c/%s/data", first.canonical.hex)),
                     0);
    changed = find(store, first.canonical);
    assert_false(store_is_checked(store, &changed));
}

static void a_valid_blob_is_cached_as_checked(void **state)
{
    struct digest digest;
    CLEANUP(store_closep) struct store *store = open_with_hello(&digest);
    struct store_blob blob = find(store, digest), other = blob;
    CLEANUP(store_check_closep) struct store_check *check = start(store, &blob);
    char text[8];

    (void)state;
    assert_false(store_is_checked(store, &blob));
    assert_int_equal(store_check_read(check, 0, text, 3), 3);
    assert_false(store_is_checked(store, &blob));
    assert_int_equal(store_check_read(check, 3, text, sizeof(text)), 2);
    assert_true(store_is_checked(store, &blob));
    assert_int_equal(store_check_read(check, 5, text, sizeof(text)), 0);
    other.identity++;
    assert_false(store_is_checked(store, &other));
    store_check_close(NULL);
}

static void damage_is_found_with_the_last_byte(void **state)
{
    struct digest digest;
    CLEANUP(store_closep) struct store *store = open_with_hello(&digest);
    struct store_check *check;
    struct store_blob blob;
    char text[8];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        make_file(below("blobs/sha256/2c/%s/data", digest.hex), i == 0 ? "hellp" : "hell");
        blob = find(store, digest);
        check = start(store, &blob);
        assert_int_equal(store_check_read(check, 0, text, 3), 3);
        assert_int_equal(store_check_read(check, 3, text, 1 - i), (int)(1 - i));
        assert_int_equal(store_check_read(check, 4 - i, text, 1), -EBADMSG);
        store_check_close(check);
        assert_false(store_is_checked(store, &blob));
    }
}

static void an_empty_blob_is_valid_or_damaged(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");
    struct store_blob nothing = find(store, push_blob(store, "a", "")), torn;
    struct store_reader *reader;
    struct store_check *check;
    struct error err = {0};

    (void)state;
    store_check_close(start(store, &nothing));
    assert_true(store_is_checked(store, &nothing));
    make_file(below("blobs/sha256/2c/%s/data", digest.hex), "");
    torn = find(store, digest);
    assert_int_equal(store_open_bytes(store, &digest, STORE_MAY_WAIT, &torn, &reader, &err), 0);
    assert_int_equal(store_check_start(store, &torn, reader, &check, &err), -EBADMSG);
    assert_says(&err, "is damaged");
}

static void out_of_order_reads_are_not_checked(void **state)
{
    struct digest digest;
    CLEANUP(store_closep) struct store *store = open_with_hello(&digest);
    struct store_blob blob = find(store, digest);
    CLEANUP(store_check_closep) struct store_check *check = start(store, &blob);
    char text[8];

    (void)state;
    assert_int_equal(store_check_read(check, 2, text, 3), -EINVAL);
    assert_false(store_is_checked(store, &blob));
}

static void a_new_entry_replaces_another(void **state)
{
    struct checked_blobs *checked = checked_blobs_new();
    struct digest one = sha256_of("1"), two = one;

    (void)state;
    two.hex[63] = two.hex[63] == '0' ? '1' : '0';
    checked_blobs_add(checked, &one, 1);
    assert_true(checked_blobs_have(checked, &one, 1));
    assert_false(checked_blobs_have(checked, &two, 1));
    checked_blobs_add(checked, &two, 2);
    assert_true(checked_blobs_have(checked, &two, 2));
    assert_false(checked_blobs_have(checked, &one, 1));
    checked_blobs_free(checked);
    checked_blobs_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_pushed_blob_is_not_hashed_again),
        scratch_test(a_valid_blob_is_cached_as_checked),
        scratch_test(damage_is_found_with_the_last_byte),
        scratch_test(an_empty_blob_is_valid_or_damaged),
        scratch_test(out_of_order_reads_are_not_checked),
        scratch_test(a_new_entry_replaces_another),
    };

    return cmocka_run_group_tests_name("store-blob-check", tests, NULL, NULL);
}
