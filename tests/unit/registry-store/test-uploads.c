#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "registry/spec/name.h"
#include "tests/unit/registry-store/support.h"

static struct upload *create(struct store *store, enum digest_algorithm algorithm)
{
    struct error err = {0};
    struct upload *upload;

    if (store_upload_create(store, "a/b", algorithm, &upload, &err) != 0)
        fail_msg("%s", err.text);
    return upload;
}

static struct upload *reopen(struct store *store, const char *id)
{
    struct error err = {0};
    struct upload *upload;
    int r = store_upload_open(store, "a/b", id, &upload, &err);

    if (r != 0)
        fail_msg("%d %s", r, err.text);
    return upload;
}

static void put(struct upload *upload, const char *text)
{
    struct error err = {0};

    if (upload_write(upload, text, strlen(text), &err) != 0)
        fail_msg("%s", err.text);
}

static int commit(struct upload *upload, struct digest digest)
{
    struct error err = {0};

    return upload_commit(upload, &digest, &err);
}

static void keep_id(const struct upload *upload, char ret_id[UPLOAD_ID_SIZE + 1])
{
    memcpy(ret_id, upload_get_id(upload), UPLOAD_ID_SIZE + 1);
}

static void a_session_is_as_registry_2_knows_it(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create(store, DIGEST_SHA256);
    struct stat st;

    (void)state;
    assert_true(name_is_upload(upload_get_id(upload), strlen(upload_get_id(upload))));
    assert_int_equal(upload_get_size(upload), 0);
    put(upload, "hel");
    put(upload, "");
    put(upload, "lo");
    assert_int_equal(upload_get_size(upload), 5);
    assert_file_is(below("repositories/a/b/_uploads/%s/data", upload_get_id(upload)), "hello");
    assert_int_equal(stat(below("repositories/a/b/_uploads/%s/startedat", upload_get_id(upload)), &st), 0);
    assert_int_equal(st.st_size, 20);
    upload_release(upload);
    upload_release(NULL);
}

static void a_session_goes_on_where_it_was_left(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create(store, DIGEST_SHA256);
    char id[UPLOAD_ID_SIZE + 1];

    (void)state;
    keep_id(upload, id);
    put(upload, "hel");
    upload_release(upload);
    upload = reopen(store, id);
    assert_int_equal(upload_get_size(upload), 3);
    put(upload, "lo");
    assert_int_equal(commit(upload, sha256_of("hello")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha256_of("hello")));
    assert_is_absent(below("repositories/a/b/_uploads/%s", id));
}

static void a_session_survives_a_restart(void **state)
{
    struct store *store = open_store();
    struct upload *upload = create(store, DIGEST_SHA512);
    char id[UPLOAD_ID_SIZE + 1];

    (void)state;
    keep_id(upload, id);
    put(upload, "hel");
    upload_release(upload);
    store_close(store);
    store = open_store();
    upload = reopen(store, id);
    put(upload, "lo");
    assert_int_equal(commit(upload, sha512_of("hello")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha512_of("hello")));
    store_close(store);
}

/* What others have put into the file meanwhile is part of the digest, and nothing is twice. */
static void a_digest_is_that_of_the_bytes_that_lie_there(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create(store, DIGEST_SHA256);
    char id[UPLOAD_ID_SIZE + 1];

    (void)state;
    keep_id(upload, id);
    put(upload, "hel");
    upload_release(upload);
    make_file(below("repositories/a/b/_uploads/%s/data", id), "good");
    upload = reopen(store, id);
    assert_int_equal(upload_get_size(upload), 4);
    put(upload, "bye");
    assert_int_equal(commit(upload, sha256_of("hellobye")), STORE_DIGEST_MISMATCH);
    assert_int_equal(commit(upload, sha256_of("goodbye")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha256_of("goodbye")));
}

/* As long as before, but not the same: it was shorter between. */
static void a_digest_of_bytes_that_are_gone_is_not_gone_on_with(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create(store, DIGEST_SHA256);
    char id[UPLOAD_ID_SIZE + 1];

    (void)state;
    keep_id(upload, id);
    put(upload, "hello");
    upload_release(upload);
    make_file(below("repositories/a/b/_uploads/%s/data", id), "HE");
    upload = reopen(store, id);
    put(upload, "LLO");
    assert_int_equal(commit(upload, sha256_of("hello")), STORE_DIGEST_MISMATCH);
    assert_int_equal(commit(upload, sha256_of("HELLO")), 0);
    upload_release(upload);
    assert_file_is(below("blobs/sha256/%.2s/%s/data", sha256_of("HELLO").hex, sha256_of("HELLO").hex), "HELLO");
}

static void a_session_of_registry_2_goes_on(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    static const char id[] = "0ff44a73-0c5b-44a0-a707-14b5c75f6f03";
    struct upload *upload;

    (void)state;
    make_file(below("repositories/a/b/_uploads/%s/data", id), "hel");
    make_file(below("repositories/a/b/_uploads/%s/startedat", id), "2026-11-23T21:30:25Z");
    make_file(below("repositories/a/b/_uploads/%s/hashstates/sha256/3", id), "nobody looks at this");
    upload = reopen(store, id);
    put(upload, "lo");
    assert_int_equal(commit(upload, sha256_of("hello")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha256_of("hello")));
    assert_is_absent(below("repositories/a/b/_uploads/%s", id));
}

/* registry:2 makes the file with the first byte. */
static void a_session_without_bytes_is_one(void **state)
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
    upload = reopen(store, id);
    assert_int_equal(upload_get_size(upload), 0);
    assert_int_equal(commit(upload, sha256_of("")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha256_of("")));
}

static void one_request_at_a_time_writes(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create(store, DIGEST_SHA256), *other;
    struct error err = {0};
    char id[UPLOAD_ID_SIZE + 1];
    uint64_t size;

    (void)state;
    keep_id(upload, id);
    put(upload, "hel");
    assert_int_equal(store_upload_open(store, "a/b", id, &other, &err), STORE_BUSY);
    assert_int_equal(store_upload_open(store, "a", id, &other, &err), STORE_NOT_FOUND);
    assert_int_equal(store_upload_stat(store, "a/b", id, &size, &err), 0);
    assert_int_equal(size, 3);
    upload_release(upload);
    upload_release(reopen(store, id));
}

static void what_is_over_is_not_found(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create(store, DIGEST_SHA256), *other;
    struct error err = {0};
    char id[UPLOAD_ID_SIZE + 1];
    uint64_t size;

    (void)state;
    keep_id(upload, id);
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
    struct upload *upload = create(store, DIGEST_SHA256);

    (void)state;
    put(upload, "hello");
    assert_int_equal(commit(upload, sha256_of("Hello")), STORE_DIGEST_MISMATCH);
    assert_int_equal(commit(upload, sha512_of("Hello")), STORE_DIGEST_MISMATCH);
    assert_false(has_blob(store, "a/b", sha256_of("hello")));
    put(upload, "!");
    assert_int_equal(commit(upload, sha256_of("hello!")), 0);
    upload_release(upload);
    assert_true(has_blob(store, "a/b", sha256_of("hello!")));
}

static void a_sha512_blob_lies_under_sha256(void **state)
{
    static const enum digest_algorithm begun_with[] = {DIGEST_SHA256, DIGEST_SHA512};
    CLEANUP(store_closep) struct store *store = open_store();
    struct digest short_one = sha256_of("hello"), long_one = sha512_of("hello");
    struct store_blob blob;
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(begun_with); i++) {
        struct upload *upload = create(store, begun_with[i]);

        put(upload, "hello");
        assert_int_equal(commit(upload, long_one), 0);
        upload_release(upload);
    }
    assert_int_equal(store_find_blob(store, "a/b", &long_one, &blob, &err), 0);
    assert_true(digest_is_equal(&blob.canonical, &short_one));
    assert_true(has_blob(store, "a/b", short_one));
    assert_file_is(below("repositories/a/b/_layers/sha512/%s/link", long_one.hex), text_of(short_one));
    assert_file_is(below("repositories/a/b/_layers/sha256/%s/link", short_one.hex), text_of(short_one));
    assert_is_absent(below("blobs/sha512/%.2s/%s/data", long_one.hex, long_one.hex));
    assert_file_is(below("blobs/sha512/%.2s/%s/link", long_one.hex, long_one.hex), text_of(short_one));
    assert_int_equal(store_mount_blob(store, "c", &long_one, "a/b", &err), 0);
    assert_true(has_blob(store, "c", long_one));
    assert_true(has_blob(store, "c", short_one));
}

/* As when the disk is full: what was whole stays, and the session goes on. */
static void after_a_failed_write_the_session_is_as_before(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    struct upload *upload = create(store, DIGEST_SHA256);
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
    assert_int_equal(commit(upload, sha256_of("hello")), 0);
    upload_release(upload);
}

enum { LARGE = 3 << 20 };

/* LARGE bytes without a period that a block has; free with free(). */
static char *make_large(void)
{
    char *bytes = malloc(LARGE);

    assert_non_null(bytes);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    return bytes;
}

static struct digest digest_of_large(enum digest_algorithm algorithm, const char *bytes)
{
    struct digest digest;

    assert_int_equal(digest_of(algorithm, bytes, LARGE, &digest), 0);
    return digest;
}

/* Writes from a place to another, in pieces of a size. 0 or what upload_write() answers. */
static int write_pieces(struct upload *upload, const char *bytes, size_t from, size_t to, size_t piece)
{
    struct error err = {0};
    int r = 0;

    for (size_t size; r == 0 && from < to; from += size) {
        size = to - from < piece ? to - from : piece;
        r = upload_write(upload, bytes + from, size, &err);
    }
    return r;
}

static void a_large_upload_is_whole_whatever_its_pieces(void **state)
{
    static const size_t sizes[] = {1000, 4096, 16370, 64 << 10, (64 << 10) + 1, 1 << 20};
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP_FREE char *bytes = make_large();
    struct digest digest = digest_of_large(DIGEST_SHA512, bytes);
    struct store_blob blob;
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct upload *upload = create(store, DIGEST_SHA512);

        assert_int_equal(write_pieces(upload, bytes, 0, LARGE, sizes[i]), 0);
        assert_int_equal(commit(upload, digest), 0);
        upload_release(upload);
        assert_int_equal(store_find_blob(store, "a/b", &digest, &blob, &err), 0);
        assert_int_equal(blob.size, LARGE);
    }
}

/* A client that is gone in the midst of it goes on where the last byte came; another request may, after a flush. */
static void a_large_upload_goes_on_at_any_byte(void **state)
{
    enum { FIRST = 200001, SECOND = 1234567 };
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP_FREE char *bytes = make_large();
    struct upload *upload = create(store, DIGEST_SHA256);
    char id[UPLOAD_ID_SIZE + 1];
    struct error err = {0};
    uint64_t size;

    (void)state;
    keep_id(upload, id);
    assert_int_equal(write_pieces(upload, bytes, 0, FIRST, 5000), 0);
    upload_release(upload);
    upload = reopen(store, id);
    assert_int_equal(upload_get_size(upload), FIRST);
    assert_int_equal(write_pieces(upload, bytes, FIRST, SECOND, 16370), 0);
    assert_int_equal(upload_flush(upload, &err), 0);
    assert_int_equal(upload_get_size(upload), SECOND);
    assert_int_equal(store_upload_stat(store, "a/b", id, &size, &err), 0);
    assert_int_equal(size, SECOND);
    assert_int_equal(write_pieces(upload, bytes, SECOND, LARGE, 16370), 0);
    assert_int_equal(commit(upload, digest_of_large(DIGEST_SHA256, bytes)), 0);
    upload_release(upload);
}

static void a_large_upload_for_which_the_disk_is_too_small_goes_on_when_it_is_larger(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP_FREE char *bytes = make_large();
    struct upload *upload = create(store, DIGEST_SHA256);
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    struct rlimit few = {1 << 20, RLIM_INFINITY};
    struct error err = {0};
    uint64_t size;

    (void)state;
    few.rlim_cur += 12345;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    assert_int_equal(write_pieces(upload, bytes, 0, LARGE, 16370), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(upload_flush(upload, &err), 0);
    size = upload_get_size(upload);
    assert_true(size <= few.rlim_cur && size > few.rlim_cur - (64 << 10));
    assert_int_equal(write_pieces(upload, bytes, size, LARGE, 16370), 0);
    assert_int_equal(commit(upload, digest_of_large(DIGEST_SHA256, bytes)), 0);
    upload_release(upload);
}

/* More at once than there are blocks to gather in. */
static void many_large_uploads_are_whole(void **state)
{
    enum { COUNT = 300, BYTES = 150000 };
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP_FREE char *bytes = make_large();
    struct upload *uploads[COUNT];
    struct digest digest;

    (void)state;
    assert_int_equal(digest_of(DIGEST_SHA256, bytes, BYTES, &digest), 0);
    for (int i = 0; i < COUNT; i++) {
        uploads[i] = create(store, DIGEST_SHA256);
        assert_int_equal(write_pieces(uploads[i], bytes, 0, 100000, 9999), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(write_pieces(uploads[i], bytes, 100000, BYTES, 9999), 0);
        if (i % 25 == 0)
            assert_int_equal(commit(uploads[i], digest), 0);
        upload_release(uploads[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_session_is_as_registry_2_knows_it),
        scratch_test(a_session_goes_on_where_it_was_left),
        scratch_test(a_session_survives_a_restart),
        scratch_test(a_digest_is_that_of_the_bytes_that_lie_there),
        scratch_test(a_digest_of_bytes_that_are_gone_is_not_gone_on_with),
        scratch_test(a_session_of_registry_2_goes_on),
        scratch_test(a_session_without_bytes_is_one),
        scratch_test(one_request_at_a_time_writes),
        scratch_test(what_is_over_is_not_found),
        scratch_test(another_digest_keeps_the_session),
        scratch_test(a_sha512_blob_lies_under_sha256),
        scratch_test(after_a_failed_write_the_session_is_as_before),
        scratch_test(a_large_upload_is_whole_whatever_its_pieces),
        scratch_test(a_large_upload_goes_on_at_any_byte),
        scratch_test(a_large_upload_for_which_the_disk_is_too_small_goes_on_when_it_is_larger),
        scratch_test(many_large_uploads_are_whole),
    };

    return cmocka_run_group_tests_name("store-uploads", tests, NULL, NULL);
}
