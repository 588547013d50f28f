#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/registry-core/support.h"

static void a_blob_is_stored_where_registry_2_expects_it(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a/b", "hello");

    (void)state;
    assert_file_is(below("blobs/sha256/2c/%s/data", digest.hex), "hello");
    assert_file_is(below("repositories/a/b/_layers/sha256/%s/link", digest.hex), text_of(digest));
    assert_mode_is(below("blobs/sha256/2c/%s/data", digest.hex), 0644);
    assert_mode_is(below("repositories/a/b/_layers/sha256/%s/link", digest.hex), 0644);
    assert_mode_is(below("repositories/a/b/_layers"), 0755);
}

static void the_upload_session_is_removed(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "r", "");
    char tree[2048];

    (void)state;
    snprintf(tree, sizeof(tree),
             "_temporary/\nblobs/\nblobs/sha256/\nblobs/sha256/%.2s/\nblobs/sha256/%.2s/%s/\n"
             "blobs/sha256/%.2s/%s/data\nrepositories/\nrepositories/r/\nrepositories/r/_layers/\n"
             "repositories/r/_layers/sha256/\nrepositories/r/_layers/sha256/%s/\n"
             "repositories/r/_layers/sha256/%s/link\nrepositories/r/_uploads/\n",
             digest.hex, digest.hex, digest.hex, digest.hex, digest.hex, digest.hex, digest.hex);
    assert_tree_is(ROOT, tree);
}

static void a_blob_of_another_repository_is_not_found(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");

    (void)state;
    assert_true(has_blob(store, "a", digest));
    assert_false(has_blob(store, "b", digest));
    assert_false(has_blob(store, "a/b", digest));
    assert_false(has_blob(store, "a", sha256_of("other")));
    assert_false(has_blob(store, "a", sha512_of("hello")));
}

static void a_link_without_data_is_not_a_blob(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");

    (void)state;
    assert_int_equal(remove(below("blobs/sha256/2c/%s/data", digest.hex)), 0);
    assert_false(has_blob(store, "a", digest));
}

static void a_truncated_link_is_not_a_blob_and_an_invalid_one_is_an_error(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");
    struct store_blob blob;
    struct error err = {0};

    (void)state;
    make_file(below("repositories/a/_layers/sha256/%s/link", digest.hex), "");
    assert_false(has_blob(store, "a", digest));
    make_file(below("repositories/a/_layers/sha256/%s/link", digest.hex), "sha256:nonsense");
    assert_int_equal(store_find_blob(store, "a", &digest, STORE_MAY_WAIT, &blob, &err), -EBADMSG);
    assert_says(&err, "contains no digest");
}

static void a_reader_reads_any_part(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");
    struct store_reader *reader;
    struct store_blob blob;
    struct error err = {0};
    char text[16] = "";

    (void)state;
    assert_int_equal(store_find_blob(store, "a", &digest, STORE_MAY_WAIT, &blob, &err), 0);
    assert_int_equal(blob.size, 5);
    assert_true(digest_is_equal(&blob.canonical, &digest));
    assert_int_equal(store_open_blob(store, "a", &digest, STORE_MAY_WAIT, &blob, &reader, &err), 0);
    assert_int_equal(store_reader_read(reader, 1, text, 3), 3);
    assert_memory_equal(text, "ell", 3);
    assert_int_equal(store_reader_read(reader, 0, text, sizeof(text)), 5);
    assert_int_equal(store_reader_read(reader, 5, text, sizeof(text)), 0);
    store_reader_close(reader);
    store_reader_close(NULL);
}

static void a_reader_outlives_its_blob(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");
    struct store_reader *reader;
    struct store_blob blob;
    struct error err = {0};
    char text[16] = "";

    (void)state;
    assert_int_equal(store_find_blob(store, "a", &digest, STORE_MAY_WAIT, &blob, &err), 0);
    assert_int_equal(store_open_blob(store, "a", &digest, STORE_MAY_WAIT, &blob, &reader, &err), 0);
    assert_int_equal(remove(below("blobs/sha256/2c/%s/data", digest.hex)), 0);
    assert_int_equal(store_reader_read(reader, 0, text, sizeof(text)), 5);
    assert_string_equal(text, "hello");
    store_reader_close(reader);
    assert_int_equal(store_open_blob(store, "a", &digest, STORE_MAY_WAIT, &blob, &reader, &err),
                     STORE_NOT_FOUND);
}

static void a_blob_is_mounted_from_a_repository_that_has_it(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello"), other = sha256_of("other");
    struct error err = {0};

    (void)state;
    assert_int_equal(store_mount_blob(store, "b", &digest, "c", NULL, &err), STORE_NOT_FOUND);
    assert_int_equal(store_mount_blob(store, "b", &other, "a", NULL, &err), STORE_NOT_FOUND);
    assert_false(has_blob(store, "b", digest));
    assert_int_equal(store_mount_blob(store, "b", &digest, "a", NULL, &err), 0);
    assert_true(has_blob(store, "b", digest));
    assert_file_is(below("repositories/b/_layers/sha256/%s/link", digest.hex), text_of(digest));
}

static void a_blob_is_mounted_from_anywhere(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello"), other = sha256_of("other"),
                  long_one = sha512_of("hello");
    struct error err = {0};

    (void)state;
    assert_int_equal(store_mount_blob(store, "b", &other, NULL, NULL, &err), STORE_NOT_FOUND);
    assert_int_equal(store_mount_blob(store, "b", &long_one, NULL, NULL, &err), STORE_NOT_FOUND);
    assert_int_equal(store_mount_blob(store, "b", &digest, NULL, NULL, &err), 0);
    assert_true(has_blob(store, "b", digest));
}

/* Only if it was pushed by that digest before. */
static void a_sha512_blob_is_mounted_from_anywhere(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest long_one = sha512_of("hello");
    struct upload *upload;
    struct error err = {0};

    (void)state;
    assert_int_equal(store_upload_create(store, "a", DIGEST_SHA512, &upload, &err), 0);
    assert_int_equal(upload_write(upload, "hello", 5, &err), 0);
    assert_int_equal(upload_commit(upload, &long_one, NULL, &err), 0);
    upload_release(upload);
    assert_int_equal(store_mount_blob(store, "b", &long_one, NULL, NULL, &err), 0);
    assert_true(has_blob(store, "b", long_one));
    assert_true(has_blob(store, "b", sha256_of("hello")));
    assert_int_equal(remove(below("blobs/sha256/2c/%s/data", sha256_of("hello").hex)), 0);
    assert_int_equal(store_mount_blob(store, "c", &long_one, NULL, NULL, &err), STORE_NOT_FOUND);
    assert_false(has_blob(store, "c", long_one));
}

static void an_unlinked_blob_is_gone_from_that_repository(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");
    struct error err = {0};

    (void)state;
    push_blob(store, "b", "hello");
    assert_int_equal(store_unlink_blob(store, "a", &digest, NULL, &err), 0);
    assert_false(has_blob(store, "a", digest));
    assert_true(has_blob(store, "b", digest));
    assert_is_absent(below("repositories/a/_layers/sha256/%s", digest.hex));
    assert_int_equal(store_unlink_blob(store, "a", &digest, NULL, &err), STORE_NOT_FOUND);
    push_blob(store, "a", "hello");
    assert_true(has_blob(store, "a", digest));
}

static void pushing_again_repairs_a_damaged_blob(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");

    (void)state;
    make_file(below("blobs/sha256/2c/%s/data", digest.hex), "he");
    push_blob(store, "b", "hello");
    assert_file_is(below("blobs/sha256/2c/%s/data", digest.hex), "hello");
}

/* Other errors must not be reported as "not found". */
static void a_storage_that_cannot_be_read_is_a_failure(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest digest = push_blob(store, "a", "hello");
    struct store_blob blob;
    struct error err = {0};

    (void)state;
    assert_int_equal(remove(below("repositories/a/_layers/sha256/%s/link", digest.hex)), 0);
    make_directory(below("repositories/a/_layers/sha256/%s/link", digest.hex));
    assert_int_equal(store_find_blob(store, "a", &digest, STORE_MAY_WAIT, &blob, &err), -EISDIR);
    assert_says(&err, "cannot look at root/docker/registry/v2/repositories/a/_layers/sha256/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_blob_is_stored_where_registry_2_expects_it),
        scratch_test(the_upload_session_is_removed),
        scratch_test(a_blob_of_another_repository_is_not_found),
        scratch_test(a_link_without_data_is_not_a_blob),
        scratch_test(a_truncated_link_is_not_a_blob_and_an_invalid_one_is_an_error),
        scratch_test(a_reader_reads_any_part),
        scratch_test(a_reader_outlives_its_blob),
        scratch_test(a_blob_is_mounted_from_a_repository_that_has_it),
        scratch_test(a_blob_is_mounted_from_anywhere),
        scratch_test(a_sha512_blob_is_mounted_from_anywhere),
        scratch_test(an_unlinked_blob_is_gone_from_that_repository),
        scratch_test(pushing_again_repairs_a_damaged_blob),
        scratch_test(a_storage_that_cannot_be_read_is_a_failure),
    };

    return cmocka_run_group_tests_name("store-blobs", tests, NULL, NULL);
}
