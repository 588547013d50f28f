#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "tests/unit/registry-core/support.h"

enum { LARGE = 3 << 20 };

/* LARGE bytes whose pattern does not repeat with the block size; free with free(). */
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

/*
 * Writes the bytes from one offset to another in pieces of a size. Returns 0 or the error of
 * upload_write().
 */
static int write_pieces(struct upload *upload, const char *bytes, size_t from, size_t to,
                        size_t piece)
{
    struct error err = {0};
    int r = 0;

    for (size_t size; r == 0 && from < to; from += size) {
        size = to - from < piece ? to - from : piece;
        r = upload_write(upload, bytes + from, size, &err);
    }
    return r;
}

static void a_large_upload_is_complete_for_any_piece_size(void **state)
{
    static const size_t sizes[] = {1000, 4096, 16370, 64 << 10, (64 << 10) + 1, 1 << 20};
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP_FREE char *bytes = make_large();
    struct digest digest = digest_of_large(DIGEST_SHA512, bytes);
    struct store_blob blob;
    struct error err = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct upload *upload = create_upload(store, DIGEST_SHA512);

        assert_int_equal(write_pieces(upload, bytes, 0, LARGE, sizes[i]), 0);
        assert_int_equal(commit_upload(upload, digest), 0);
        upload_release(upload);
        assert_int_equal(store_find_blob(store, "a/b", &digest, STORE_MAY_WAIT, &blob, &err), 0);
        assert_int_equal(blob.size, LARGE);
    }
}

/*
 * After a disconnect the client continues after the last received byte; so can another request,
 * after a flush.
 */
static void a_large_upload_can_continue_at_any_byte(void **state)
{
    enum { FIRST = 200001, SECOND = 1234567 };
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP_FREE char *bytes = make_large();
    struct upload *upload = create_upload(store, DIGEST_SHA256);
    char id[UPLOAD_ID_SIZE + 1];
    struct error err = {0};
    uint64_t size;

    (void)state;
    keep_upload_id(upload, id);
    assert_int_equal(write_pieces(upload, bytes, 0, FIRST, 5000), 0);
    upload_release(upload);
    upload = reopen_upload(store, id);
    assert_int_equal(upload_get_size(upload), FIRST);
    assert_int_equal(write_pieces(upload, bytes, FIRST, SECOND, 16370), 0);
    assert_int_equal(upload_flush(upload, &err), 0);
    assert_int_equal(upload_get_size(upload), SECOND);
    assert_int_equal(store_upload_stat(store, "a/b", id, &size, &err), 0);
    assert_int_equal(size, SECOND);
    assert_int_equal(write_pieces(upload, bytes, SECOND, LARGE, 16370), 0);
    assert_int_equal(commit_upload(upload, digest_of_large(DIGEST_SHA256, bytes)), 0);
    upload_release(upload);
}

static void a_large_upload_can_continue_after_a_full_disk(void **state)
{
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP_FREE char *bytes = make_large();
    struct upload *upload = create_upload(store, DIGEST_SHA256);
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
    assert_int_equal(commit_upload(upload, digest_of_large(DIGEST_SHA256, bytes)), 0);
    upload_release(upload);
}

/* More concurrent uploads than buffers. */
static void many_concurrent_large_uploads_are_complete(void **state)
{
    enum { COUNT = 300, BYTES = 150000 };
    CLEANUP(store_closep) struct store *store = open_store();
    CLEANUP_FREE char *bytes = make_large();
    struct upload *uploads[COUNT];
    struct digest digest;

    (void)state;
    assert_int_equal(digest_of(DIGEST_SHA256, bytes, BYTES, &digest), 0);
    for (int i = 0; i < COUNT; i++) {
        uploads[i] = create_upload(store, DIGEST_SHA256);
        assert_int_equal(write_pieces(uploads[i], bytes, 0, 100000, 9999), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(write_pieces(uploads[i], bytes, 100000, BYTES, 9999), 0);
        if (i % 25 == 0)
            assert_int_equal(commit_upload(uploads[i], digest), 0);
        upload_release(uploads[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_large_upload_is_complete_for_any_piece_size),
        scratch_test(a_large_upload_can_continue_at_any_byte),
        scratch_test(a_large_upload_can_continue_after_a_full_disk),
        scratch_test(many_concurrent_large_uploads_are_complete),
    };

    return cmocka_run_group_tests_name("store-large-uploads", tests, NULL, NULL);
}
