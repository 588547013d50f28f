/* Downloads from a bucket: the link and the bytes of a blob are asked for at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/s3.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-storage-s3/server-fixture.h"

enum { LARGE = (2 << 20) + 1000 };

static struct small_store *bucket;
static struct store *server;
static char bytes[LARGE];

static int set_up(void **state)
{
    (void)state;
    bucket = servers_start();
    server = server_open(1);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char)(i * 7 + i / 4093);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(server);
    servers_end();
    return 0;
}

static struct digest push(size_t size)
{
    struct digest digest;
    struct upload *upload;
    struct error err = {0};

    assert_int_equal(digest_of(DIGEST_SHA256, bytes, size, &digest), 0);
    assert_int_equal(store_upload_create(server, "r", DIGEST_SHA256, &upload, &err), 0);
    assert_int_equal(upload_write(upload, bytes, size, &err), 0);
    assert_int_equal(upload_commit(upload, &digest, NULL, &err), 0);
    upload_release(upload);
    free(small_store_take_log(bucket));
    return digest;
}

static int open_blob(const char *name, struct digest digest, struct store_reader **ret)
{
    struct store_blob blob;
    struct error err = {0};

    return store_open_blob(server, name, &digest, STORE_MAY_WAIT, &blob, ret, &err);
}

/* How many lines the log has since the last call; asserts that it contains the parts. */
static unsigned count_requests(const char *part, const char *other_part)
{
    char *log = small_store_take_log(bucket);
    unsigned count = 0;

    assert_non_null(strstr(log, part));
    assert_non_null(strstr(log, other_part));
    for (const char *at = log; (at = strchr(at, '\n')); at++)
        count++;
    free(log);
    return count;
}

static void read_to_end(struct store_reader *reader, size_t size)
{
    static char piece[100003];
    size_t at = 0;
    ssize_t n;

    while ((n = store_reader_read(reader, at, piece, sizeof(piece))) > 0) {
        assert_memory_equal(piece, bytes + at, (size_t)n);
        at += (size_t)n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(at, size);
}

static void a_blob_takes_two_requests(void **state)
{
    const size_t sizes[] = {1, 1000, LARGE};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct digest digest = push(sizes[i]);
        struct store_reader *reader;

        assert_int_equal(open_blob("r", digest, &reader), 0);
        read_to_end(reader, sizes[i]);
        store_reader_close(reader);
        assert_int_equal(count_requests("HEAD repositories/r/_layers/", "GET blobs/sha256/"), 2);
    }
}

/* The bytes are there, but the store does not say so before this test ends. */
static void a_missing_link_is_enough_for_an_answer(void **state)
{
    struct digest digest = push(LARGE);
    struct store_reader *reader;

    (void)state;
    small_store_hold(bucket, "blobs/");
    assert_int_equal(open_blob("other", digest, &reader), STORE_NOT_FOUND);
    small_store_hold(bucket, "");
    assert_int_equal(open_blob("r", digest, &reader), 0);
    store_reader_close(reader);
}

static void put(const char *key, const void *data, size_t size)
{
    const struct storage_step step = {.kind = STORAGE_PUT, .key = key, .data = data, .size = size};
    struct error err = {0};

    if (storage_write(store_get_storage(server), &step, 1, &err) != 0)
        fail_msg("%s", err.text);
}

static void an_empty_link_counts_as_missing(void **state)
{
    struct digest digest = push(1000);
    char key[256];
    struct store_reader *reader;

    (void)state;
    snprintf(key, sizeof(key), "repositories/r/_layers/sha256/%s/link", digest.hex);
    put(key, "", 0);
    assert_int_equal(open_blob("r", digest, &reader), STORE_NOT_FOUND);
}

static void a_link_without_bytes_is_not_enough(void **state)
{
    struct digest digest = push(1000), missing = digest;
    char key[256], text[DIGEST_TEXT_SIZE];
    struct store_reader *reader;

    (void)state;
    missing.hex[0] = missing.hex[0] == 'a' ? 'b' : 'a';
    snprintf(key, sizeof(key), "repositories/r/_layers/sha256/%s/link", missing.hex);
    digest_format(&missing, text);
    put(key, text, strlen(text));
    assert_int_equal(open_blob("r", missing, &reader), STORE_NOT_FOUND);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_blob_takes_two_requests),
        CASE(a_missing_link_is_enough_for_an_answer),
        CASE(an_empty_link_counts_as_missing),
        CASE(a_link_without_bytes_is_not_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
