#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/unit/registry-core/support.h"

static void put(struct upload *upload, const char *text)
{
    struct error err = {0};

    if (upload_write(upload, text, strlen(text), &err) != 0)
        fail_msg("%s", err.text);
}

static void a_session_has_the_layout_of_registry_2(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create_upload(store, DIGEST_SHA256);
    struct stat st;

    (void)state;
    assert_true(name_is_upload(upload_get_id(upload), strlen(upload_get_id(upload))));
    assert_int_equal(upload_get_size(upload), 0);
    put(upload, "hel");
    put(upload, "");
    put(upload, "lo");
    assert_int_equal(upload_get_size(upload), 5);
    assert_file_is(below("repositories/a/b/_uploads/%s/data", upload_get_id(upload)), "hello");
    assert_int_equal(
        stat(below("repositories/a/b/_uploads/%s/startedat", upload_get_id(upload)), &st), 0);
    assert_int_equal(st.st_size, 20);
    upload_release(upload);
    upload_release(NULL);
}

static void a_session_continues_at_its_last_offset(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create_upload(store, DIGEST_SHA256);
    char id[UPLOAD_ID_SIZE + 1];

    (void)state;
    keep_upload_id(upload, id);
    put(upload, "hel");
    upload_release(upload);
    upload = reopen_upload(store, id);
    assert_int_equal(upload_get_size(upload), 3);
    put(upload, "lo");
    assert_int_equal(commit_upload(upload, sha256_of("hello")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha256_of("hello")));
    assert_is_absent(below("repositories/a/b/_uploads/%s", id));
}

static void a_session_survives_a_restart(void **state)
{
    struct store *store = open_store();
    struct upload *upload = create_upload(store, DIGEST_SHA512);
    char id[UPLOAD_ID_SIZE + 1];

    (void)state;
    keep_upload_id(upload, id);
    put(upload, "hel");
    upload_release(upload);
    store_close(store);
    store = open_store();
    upload = reopen_upload(store, id);
    put(upload, "lo");
    assert_int_equal(commit_upload(upload, sha512_of("hello")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha512_of("hello")));
    store_close(store);
}

/* Bytes that another process added to the file are part of the digest, and no byte counts twice. */
static void a_digest_is_that_of_the_stored_bytes(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create_upload(store, DIGEST_SHA256);
    char id[UPLOAD_ID_SIZE + 1];

    (void)state;
    keep_upload_id(upload, id);
    put(upload, "hel");
    upload_release(upload);
    make_file(below("repositories/a/b/_uploads/%s/data", id), "good");
    upload = reopen_upload(store, id);
    assert_int_equal(upload_get_size(upload), 4);
    put(upload, "bye");
    assert_int_equal(commit_upload(upload, sha256_of("hellobye")), STORE_DIGEST_MISMATCH);
    assert_int_equal(commit_upload(upload, sha256_of("goodbye")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha256_of("goodbye")));
}

/* The file has the same length as before, but was truncated in between. */
static void a_hash_state_of_replaced_bytes_is_not_used(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create_upload(store, DIGEST_SHA256);
    char id[UPLOAD_ID_SIZE + 1];

    (void)state;
    keep_upload_id(upload, id);
    put(upload, "hello");
    upload_release(upload);
    make_file(below("repositories/a/b/_uploads/%s/data", id), "HE");
    upload = reopen_upload(store, id);
    put(upload, "LLO");
    assert_int_equal(commit_upload(upload, sha256_of("hello")), STORE_DIGEST_MISMATCH);
    assert_int_equal(commit_upload(upload, sha256_of("HELLO")), 0);
    upload_release(upload);
    assert_file_is(
        below("blobs/sha256/%.2s/%s/data", sha256_of("HELLO").hex, sha256_of("HELLO").hex),
        "HELLO");
}

static void a_session_of_registry_2_can_continue(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    static const char id[] = "0ff44a73-0c5b-44a0-a707-14b5c75f6f03";
    struct upload *upload;

    (void)state;
    make_file(below("repositories/a/b/_uploads/%s/data", id), "hel");
    make_file(below("repositories/a/b/_uploads/%s/startedat", id), "2026-11-23T21:30:25Z");
    make_file(below("repositories/a/b/_uploads/%s/hashstates/sha256/3", id), "ignored");
    upload = reopen_upload(store, id);
    put(upload, "lo");
    assert_int_equal(commit_upload(upload, sha256_of("hello")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha256_of("hello")));
    assert_is_absent(below("repositories/a/b/_uploads/%s", id));
}

/* registry:2 creates the file with the first byte. */
static void a_session_without_data_is_valid(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    static const char id[] = "0ff44a73-0c5b-44a0-a707-14b5c75f6f03";
    struct error err = {0};
    struct upload *upload;
    uint64_t size = 99;

    (void)state;
    make_file(below("repositories/a/b/_uploads/%s/startedat", id), "2026-11-23T21:30:25Z");
    assert_int_equal(store_upload_stat(store, "a/b", id, &size, &err), 0);
    assert_int_equal(size, 0);
    upload = reopen_upload(store, id);
    assert_int_equal(upload_get_size(upload), 0);
    assert_int_equal(commit_upload(upload, sha256_of("")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha256_of("")));
}

static void one_request_at_a_time_writes(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create_upload(store, DIGEST_SHA256), *other;
    struct error err = {0};
    char id[UPLOAD_ID_SIZE + 1];
    uint64_t size;

    (void)state;
    keep_upload_id(upload, id);
    put(upload, "hel");
    assert_int_equal(store_upload_open(store, "a/b", id, &other, &err), STORE_BUSY);
    assert_int_equal(store_upload_open(store, "a", id, &other, &err), STORE_NOT_FOUND);
    assert_int_equal(store_upload_stat(store, "a/b", id, &size, &err), 0);
    assert_int_equal(size, 3);
    upload_release(upload);
    upload_release(reopen_upload(store, id));
}

static void finished_sessions_are_not_found(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create_upload(store, DIGEST_SHA256), *other;
    struct error err = {0};
    char id[UPLOAD_ID_SIZE + 1];
    uint64_t size;

    (void)state;
    keep_upload_id(upload, id);
    put(upload, "hello");
    assert_int_equal(upload_cancel(upload, &err), 0);
    upload_release(upload);
    assert_is_absent(below("repositories/a/b/_uploads/%s", id));
    assert_int_equal(store_upload_open(store, "a/b", id, &other, &err), STORE_NOT_FOUND);
    assert_int_equal(store_upload_stat(store, "a/b", id, &size, &err), STORE_NOT_FOUND);
    assert_false(has_blob(store, "a/b", sha256_of("hello")));
}

static void another_digest_keeps_the_session(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create_upload(store, DIGEST_SHA256);

    (void)state;
    put(upload, "hello");
    assert_int_equal(commit_upload(upload, sha256_of("Hello")), STORE_DIGEST_MISMATCH);
    assert_int_equal(commit_upload(upload, sha512_of("Hello")), STORE_DIGEST_MISMATCH);
    assert_false(has_blob(store, "a/b", sha256_of("hello")));
    put(upload, "!");
    assert_int_equal(commit_upload(upload, sha256_of("hello!")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha256_of("hello!")));
}

static void a_sha512_blob_is_stored_under_sha256(void **state)
{
    static const enum digest_algorithm begun_with[] = {DIGEST_SHA256, DIGEST_SHA512};
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest short_one = sha256_of("hello"), long_one = sha512_of("hello");
    struct store_blob blob;
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(begun_with); i++) {
        struct upload *upload = create_upload(store, begun_with[i]);

        put(upload, "hello");
        assert_int_equal(commit_upload(upload, long_one), 0);
        upload_release(upload);
    }
    assert_int_equal(store_find_blob(store, "a/b", &long_one, STORE_MAY_WAIT, &blob, &err), 0);
    assert_true(digest_is_equal(&blob.canonical, &short_one));
    assert_true(has_blob(store, "a/b", short_one));
    assert_file_is(below("repositories/a/b/_layers/sha512/%s/link", long_one.hex),
                   text_of(short_one));
    assert_file_is(below("repositories/a/b/_layers/sha256/%s/link", short_one.hex),
                   text_of(short_one));
    assert_is_absent(below("blobs/sha512/%.2s/%s/data", long_one.hex, long_one.hex));
    assert_file_is(below("blobs/sha512/%.2s/%s/link", long_one.hex, long_one.hex),
                   text_of(short_one));
    assert_int_equal(store_mount_blob(store, "c", &long_one, "a/b", NULL, &err), 0);
    assert_true(has_blob(store, "c", long_one));
    assert_true(has_blob(store, "c", short_one));
}

/* As with a full disk: complete writes stay, and the session can continue. */
static void a_failed_write_leaves_the_session_unchanged(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create_upload(store, DIGEST_SHA256);
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit few = {4, RLIM_INFINITY};
    struct error err = {0};
    uint64_t size;

    (void)state;
    put(upload, "hel");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    assert_int_equal(upload_write(upload, "lo world", 8, &err), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_says(&err, "cannot write root/docker/registry/v2/repositories/a/b/_uploads/");
    assert_int_equal(upload_get_size(upload), 3);
    assert_int_equal(store_upload_stat(store, "a/b", upload_get_id(upload), &size, &err), 0);
    assert_int_equal(size, 3);
    put(upload, "lo");
    assert_int_equal(commit_upload(upload, sha256_of("hello")), 0);
    upload_release(upload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_session_has_the_layout_of_registry_2),
        scratch_test(a_session_continues_at_its_last_offset),
        scratch_test(a_session_survives_a_restart),
        scratch_test(a_digest_is_that_of_the_stored_bytes),
        scratch_test(a_hash_state_of_replaced_bytes_is_not_used),
        scratch_test(a_session_of_registry_2_can_continue),
        scratch_test(a_session_without_data_is_valid),
        scratch_test(one_request_at_a_time_writes),
        scratch_test(finished_sessions_are_not_found),
        scratch_test(another_digest_keeps_the_session),
        scratch_test(a_sha512_blob_is_stored_under_sha256),
        scratch_test(a_failed_write_leaves_the_session_unchanged),
    };

    return cmocka_run_group_tests_name("store-uploads", tests, NULL, NULL);
}
