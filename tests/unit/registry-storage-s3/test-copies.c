/* Downloads from a bucket with a disk cache: what clients get, and what the store is asked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "registry/storage/s3/s3.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-storage-s3/server-fixture.h"
#include "tests/unit/scratch.h"

enum { SMALL = 5000, PIECE = 70001, LARGE = (5 << 20) / 4 };

static struct small_store *bucket;
static struct store *server;
static char bytes[LARGE], found[LARGE];
static struct digest digest;

static int set_up(void **state)
{
    bucket = servers_start();
    return scratch_set_up(state);
}

static int tear_down(void **state)
{
    store_close(server);
    servers_end();
    return scratch_tear_down(state);
}

/* Without a lease, which runs out if the machine is so slow that it is not renewed in time. */
static void put(const char *key, const void *data, size_t size)
{
    struct error err = {0};

    if (storage_note(store_get_storage(server), key, data, size, &err) != 0)
        fail_msg("%s", err.text);
}

/* A server with a cache, and a blob in its bucket. */
static void start_with_blob(size_t size)
{
    char key[200], text[DIGEST_TEXT_SIZE];

    server = server_open_with_cache(1, "cache");
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + i / 4093);
    assert_int_equal(digest_of(DIGEST_SHA256, bytes, size, &digest), 0);
    digest_format(&digest, text);
    snprintf(key, sizeof(key), "blobs/sha256/%.2s/%s/data", digest.hex, digest.hex);
    put(key, bytes, size);
    snprintf(key, sizeof(key), "repositories/r/_layers/sha256/%s/link", digest.hex);
    put(key, text, strlen(text));
    free(small_store_take_log(bucket));
}

static void restart(void)
{
    store_close(server);
    server = server_open_with_cache(1, "cache");
    free(small_store_take_log(bucket));
}

/* What was asked for since the last call, such as "link\nblob\n". */
static void assert_asked(const char *expected)
{
    char *log = small_store_take_log(bucket), text[1024] = "";
    size_t used = 0;

    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\n",
                                 strstr(line, "blobs/") ? "blob" : "link");
    free(log);
    assert_string_equal(text, expected);
}

static struct storage_copy_counters counters(void)
{
    struct storage_copy_counters found_counters;

    store_count_copies(server, &found_counters);
    return found_counters;
}

static void wait_for_fills(uint64_t fills)
{
    while (counters().fills < fills)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static struct store_reader *open_blob(bool is_verified)
{
    struct store_reader *reader;
    struct store_blob blob;
    struct error err = {0};

    if (store_open_blob(server, "r", &digest, STORE_MAY_WAIT, &blob, &reader, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(blob.is_verified, is_verified);
    assert_int_equal(store_is_checked(server, &blob), is_verified);
    return reader;
}

/* Reads as an event thread does, from an offset to the end. */
static void read_from(struct store_reader *reader, size_t at, size_t size)
{
    size_t start = at;

    while (at < size) {
        ssize_t n = store_reader_try(reader, at, found + at, size - at < PIECE ? size - at : PIECE);

        if (n == -EAGAIN) {
            store_reader_wait(reader);
            continue;
        }
        if (n <= 0)
            fail_msg("reading at %zu: %zd", at, n);
        at += (size_t)n;
    }
    assert_memory_equal(found + start, bytes + start, size - start);
}

static void download(size_t size, bool is_verified)
{
    struct store_reader *reader = open_blob(is_verified);

    assert_int_equal(store_reader_get_fd(reader) >= 0, is_verified);
    read_from(reader, 0, size);
    store_reader_close(reader);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void the_second_download_asks_only_for_the_link(void **state)
{
    static const size_t sizes[] = {SMALL, LARGE};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        start_with_blob(sizes[i]);
        download(sizes[i], false);
        assert_asked("link\nblob\n");
        wait_for_fills(1);
        download(sizes[i], true);
        assert_asked("link\n");
        restart();
        download(sizes[i], true);
        assert_asked("link\n");
        store_close(steal_ptr(&server));
    }
}

static void a_blob_without_a_link_is_not_found(void **state)
{
    struct store_reader *reader;
    struct store_blob blob;
    struct error err = {0};

    (void)state;
    start_with_blob(SMALL);
    download(SMALL, false);
    wait_for_fills(1);
    assert_int_equal(store_unlink_blob(server, "r", &digest, NULL, &err), 0);
    assert_int_equal(store_open_blob(server, "r", &digest, STORE_MAY_WAIT, &blob, &reader, &err),
                     STORE_NOT_FOUND);
    assert_int_equal(store_open_blob(server, "s", &digest, STORE_MAY_WAIT, &blob, &reader, &err),
                     STORE_NOT_FOUND);
}

static void parts_are_read_from_the_cache_and_do_not_fill_it(void **state)
{
    struct store_reader *reader;

    (void)state;
    start_with_blob(LARGE);
    reader = open_blob(false);
    read_from(reader, LARGE / 2, LARGE);
    read_from(reader, 0, 1000);
    store_reader_close(reader);
    assert_int_equal(counters().bytes, 0);

    reader = open_blob(false); /* begins, and ends too early */
    read_from(reader, 0, 1000);
    assert_true(counters().bytes > LARGE);
    store_reader_close(reader);
    while (counters().bytes > 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);

    download(LARGE, false);
    wait_for_fills(1);
    free(small_store_take_log(bucket));
    reader = open_blob(true);
    read_from(reader, LARGE / 3, LARGE);
    read_from(reader, 1, LARGE);
    store_reader_close(reader);
    assert_asked("link\n");
}

/* As a client whose socket takes only a part of what it is lent. */
static void a_download_of_lent_bytes_fills(void **state)
{
    struct store_reader *reader;
    const void *data;
    ssize_t n;

    (void)state;
    start_with_blob(LARGE);
    reader = open_blob(false);
    for (size_t at = 0; at < LARGE; at += (size_t)n) {
        while ((n = store_reader_borrow(reader, at, PIECE, &data)) == -EAGAIN)
            store_reader_wait(reader);
        if (n <= 0)
            fail_msg("borrowing at %zu: %zd", at, n);
        assert_memory_equal(data, bytes + at, n);
        n = n / 2 + 1;
    }
    store_reader_close(reader);
    wait_for_fills(1);
    download(LARGE, true);
    assert_asked("link\nblob\nlink\n");
}

static void clients_at_once_stream_and_one_fills(void **state)
{
    struct store_reader *readers[3];

    (void)state;
    start_with_blob(LARGE);
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
        readers[i] = open_blob(false);
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
        read_from(readers[i], 0, LARGE / 2);
        assert_true(counters().bytes < LARGE + LARGE / 2);
    }
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
        read_from(readers[i], LARGE / 2, LARGE);
        store_reader_close(readers[i]);
    }
    wait_for_fills(1);
    download(LARGE, true);
    assert_int_equal(counters().fills, 1);
}

/* Another process cuts the file while a client reads it. */
static void a_download_goes_on_with_the_bucket_if_the_file_cannot_be_read(void **state)
{
    static const size_t sizes[] = {SMALL, LARGE};
    struct store_reader *reader;
    char path[200];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        start_with_blob(sizes[i]);
        download(sizes[i], false);
        wait_for_fills(1);
        free(small_store_take_log(bucket));
        reader = open_blob(true);
        read_from(reader, 0, 1000);
        snprintf(path, sizeof(path), "cache/%s", digest.hex);
        assert_int_equal(truncate(path, 2000), 0);
        read_from(reader, 1000, sizes[i]);
        assert_int_equal(store_reader_get_fd(reader), -1);
        store_reader_close(reader);
        assert_asked(i == 0 ? "link\nblob\n" : "link\nblob\nblob\n");
        store_close(steal_ptr(&server));
    }
}

static void a_damaged_file_is_replaced(void **state)
{
    char path[200];
    int fd;

    (void)state;
    start_with_blob(LARGE);
    download(LARGE, false);
    wait_for_fills(1);
    store_close(steal_ptr(&server));
    snprintf(path, sizeof(path), "cache/%s", digest.hex);
    fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "damage", 6, LARGE / 2), 6);
    close(fd);
    server = server_open_with_cache(1, "cache");
    download(LARGE, false);
    assert_int_equal(counters().damaged, 1);
    download(LARGE, false);
    wait_for_fills(1);
    download(LARGE, true);
}

/* The bytes in the bucket are wrong: core notices it, and the cache does not keep them. */
static void wrong_bytes_of_the_bucket_are_not_kept(void **state)
{
    char key[200];

    (void)state;
    start_with_blob(SMALL);
    bytes[0] ^= 1;
    snprintf(key, sizeof(key), "blobs/sha256/%.2s/%s/data", digest.hex, digest.hex);
    put(key, bytes, SMALL);
    download(SMALL, false);
    while (counters().bytes > 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(counters().fills, 0);
    download(SMALL, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_second_download_asks_only_for_the_link, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_blob_without_a_link_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_download_of_lent_bytes_fills, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parts_are_read_from_the_cache_and_do_not_fill_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(clients_at_once_stream_and_one_fills, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_download_goes_on_with_the_bucket_if_the_file_cannot_be_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_file_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_bytes_of_the_bucket_are_not_kept, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("copies", tests, NULL, NULL);
}
