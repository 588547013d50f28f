/* Uploads to a bucket: what each costs, and what stays of it after a crash at any step. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/core/lease.h"
#include "registry/spec/name.h"
#include "registry/storage/s3/s3.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-storage-s3/server-fixture.h"

enum { PART = 64 << 10, LARGE = 3 * PART + 1000, LONG_S = 1000, WEEK_S = 7 * 24 * 60 * 60 };

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

static struct digest digest_of_bytes(const void *bytes, size_t size)
{
    struct digest digest;

    assert_int_equal(digest_of(DIGEST_SHA256, bytes, size, &digest), 0);
    return digest;
}

static void fill_bytes(char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 7 + i / 4093);
}

/* --- requests --------------------------------------------------------------------------------- */

/* What a line of the log is about. */
static const char *word_of(const char *line)
{
    static const struct {
        const char *part, *word;
    } words[] = {{"/state", "state"}, {"/tail-", "tail"},         {"/_uploads/", "parts"},
                 {"blobs/", "blob"},  {"_layers/", "link"},       {" list", "list"},
                 {" many", "many"},   {"_manifests/", "manifest"}};

    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strstr(line, words[i].part))
            return words[i].word;
    return "?";
}

/*
 * Asserts the requests since the last call, such as "PUT state". Those that remove in the
 * background come at any time, so they are left out.
 */
static void assert_requests(const char *expected)
{
    char *log = small_store_take_log(bucket), found[1024] = "";
    size_t used = 0;

    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
        const char *word = word_of(line);
        bool is_removal = strncmp(line, "DELETE", 6) == 0 || strcmp(word, "many") == 0;

        if (!is_removal)
            used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%.*s %s",
                                     used ? ", " : "", (int)strcspn(line, " "), line, word);
    }
    free(log);
    assert_string_equal(found, expected);
}

/* --- steps of clients ------------------------------------------------------------------------- */

static char id[UPLOAD_ID_SIZE + 1];

/* POST. Returns whether it is acknowledged, with the id in `id`. */
static bool start(struct store *server)
{
    struct upload *upload;
    struct error err = {0};
    bool is_kept;

    if (store_upload_create(server, "r", DIGEST_SHA256, &upload, &err) != 0)
        return false;
    snprintf(id, sizeof(id), "%s", upload_get_id(upload));
    is_kept = upload_keep(upload, &err) == 0;
    upload_release(upload);
    return is_kept;
}

/* PATCH. Returns whether it is acknowledged. */
static bool patch(struct store *server, const char *bytes, size_t size)
{
    struct upload *upload;
    struct error err = {0};
    bool is_kept;

    if (store_upload_open(server, "r", id, &upload, &err) != 0)
        return false;
    is_kept = upload_write(upload, bytes, size, &err) == 0 && upload_keep(upload, &err) == 0;
    upload_release(upload);
    return is_kept;
}

/* PUT, with the rest of the bytes. Returns whether it is acknowledged. */
static bool finish(struct store *server, const char *rest, size_t size, struct digest digest)
{
    struct upload *upload;
    struct error err = {0};
    bool is_committed;

    if (store_upload_open(server, "r", id, &upload, &err) != 0)
        return false;
    is_committed = upload_write(upload, rest, size, &err) == 0 &&
                   upload_commit(upload, &digest, NULL, &err) == 0;
    upload_release(upload);
    return is_committed;
}

/* POST with a digest. */
static bool push_at_once(struct store *server, const char *bytes, size_t size, struct digest digest)
{
    struct upload *upload;
    struct error err = {0};
    bool is_committed;

    if (store_upload_create(server, "r", DIGEST_SHA256, &upload, &err) != 0)
        return false;
    is_committed = upload_write(upload, bytes, size, &err) == 0 &&
                   upload_commit(upload, &digest, NULL, &err) == 0;
    upload_release(upload);
    return is_committed;
}

static bool has_blob(struct store *server, struct digest digest)
{
    struct store_blob blob;
    struct error err = {0};
    int r = store_find_blob(server, "r", &digest, STORE_MAY_WAIT, &blob, &err);

    assert_true(r >= 0);
    return r == 0;
}

static void assert_blob_is(struct store *server, struct digest digest, const char *bytes,
                           size_t size)
{
    struct store_blob blob;
    struct store_reader *reader;
    struct error err = {0};
    char *found = malloc(size + 1);
    size_t at = 0;
    ssize_t n;

    assert_int_equal(store_open_blob(server, "r", &digest, STORE_MAY_WAIT, &blob, &reader, &err),
                     0);
    assert_int_equal(blob.size, size);
    while ((n = store_reader_read(reader, at, found + at, size + 1 - at)) > 0)
        at += (size_t)n;
    assert_int_equal(at, size);
    assert_memory_equal(found, bytes, size);
    store_reader_close(reader);
    free(found);
}

static uint64_t size_of_session(struct store *server)
{
    struct error err = {0};
    uint64_t size = 0;

    return store_upload_stat(server, "r", id, &size, &err) == 0 ? size : UINT64_MAX;
}

/* --- what an upload costs --------------------------------------------------------------------- */

static void an_upload_of_one_request_has_no_state(void **state)
{
    CLEANUP(store_closep) struct store *server = server_open(1);
    struct digest digest = digest_of_bytes("hello", 5);

    (void)state;
    assert_true(push_at_once(server, "hello", 5, digest));
    assert_requests("PUT blob, PUT link");
    assert_blob_is(server, digest, "hello", 5);
}

static void an_upload_in_two_requests_writes_its_state_twice(void **state)
{
    struct store *server = server_open(1);
    struct digest digest = digest_of_bytes("hello", 5);

    (void)state;
    assert_true(start(server));
    assert_requests("PUT state");
    assert_true(finish(server, "hello", 5, digest));
    assert_requests("PUT state, PUT blob, PUT link");
    assert_int_equal(size_of_session(server), UINT64_MAX);
    store_close(server);
    assert_int_equal(small_store_count(bucket, "_uploads"), 0);
}

static void a_patch_writes_the_state_twice(void **state)
{
    struct store *server = server_open(1);
    struct digest digest = digest_of_bytes("hello", 5);

    (void)state;
    assert_true(start(server));
    assert_true(patch(server, "hello", 5));
    assert_requests("PUT state, PUT state, PUT state");
    assert_int_equal(size_of_session(server), 5);
    assert_requests("GET state");
    assert_true(finish(server, "", 0, digest));
    assert_requests("PUT state, PUT blob, PUT link");
    store_close(server);
    assert_int_equal(small_store_count(bucket, "_uploads"), 0);
}

static void another_server_reads_the_state_once(void **state)
{
    CLEANUP(store_closep) struct store *one = server_open(1);
    CLEANUP(store_closep) struct store *two = server_open(2);

    (void)state;
    assert_true(start(one));
    assert_true(patch(two, "hel", 3));
    assert_requests("PUT state, GET state, PUT state, PUT state");
    /* The first server tries the state that it knows. */
    assert_true(patch(one, "lo", 2));
    assert_requests("PUT state, HEAD state, GET state, PUT state, PUT state");
    assert_true(finish(two, "", 0, digest_of_bytes("hello", 5)));
}

/* --- sessions --------------------------------------------------------------------------------- */

static void one_server_at_a_time_writes(void **state)
{
    CLEANUP(store_closep) struct store *one = server_open(1);
    CLEANUP(store_closep) struct store *two = server_open(2);
    struct upload *upload, *other;
    struct error err = {0};

    (void)state;
    assert_true(start(one));
    assert_int_equal(store_upload_open(one, "r", id, &upload, &err), 0);
    assert_int_equal(store_upload_open(one, "r", id, &other, &err), STORE_BUSY);
    assert_int_equal(store_upload_open(two, "r", id, &other, &err), STORE_BUSY);
    upload_release(upload);
    assert_int_equal(store_upload_open(two, "r", id, &other, &err), 0);
    upload_release(other);
}

static void a_cancelled_session_is_gone_for_every_server(void **state)
{
    CLEANUP(store_closep) struct store *one = server_open(1);
    CLEANUP(store_closep) struct store *two = server_open(2);
    struct upload *upload;
    struct error err = {0};

    (void)state;
    assert_true(start(one));
    assert_int_equal(store_upload_open(two, "r", id, &upload, &err), 0);
    assert_int_equal(upload_cancel(upload, &err), 0);
    upload_release(upload);
    assert_int_equal(store_upload_open(one, "r", id, &upload, &err), STORE_NOT_FOUND);
    assert_int_equal(size_of_session(one), UINT64_MAX);
    assert_int_equal(small_store_count(bucket, "_uploads"), 0);
}

/* A tail that is too long for the state object lies beside it. */
static void tails_of_every_length_are_kept(void **state)
{
    static const size_t sizes[] = {1, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 300000};
    struct store *one = server_open(1), *two = server_open(2);
    char *bytes = malloc(1 << 20);
    size_t at = 0;

    (void)state;
    fill_bytes(bytes, 1 << 20);
    assert_true(start(one));
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        assert_true(patch(i % 2 ? two : one, bytes + at, sizes[i]));
        at += sizes[i];
        assert_int_equal(size_of_session(one), at);
    }
    assert_true(finish(one, "", 0, digest_of_bytes(bytes, at)));
    assert_blob_is(two, digest_of_bytes(bytes, at), bytes, at);
    free(bytes);
    store_close(one);
    store_close(two);
    assert_int_equal(small_store_count(bucket, "_uploads"), 0);
}

/* A server that was stopped for longer than its lease may still send a part. */
static void a_part_that_another_server_replaced_is_noticed(void **state)
{
    CLEANUP(store_closep) struct store *one = server_open_with_parts(1, PART);
    CLEANUP(store_closep) struct store *two = server_open_with_parts(2, PART);
    char *bytes = malloc(LARGE), *others = calloc(1, LARGE);
    struct upload *stopped, *upload;
    struct error err = {0};
    struct digest digest;

    (void)state;
    fill_bytes(bytes, LARGE);
    digest = digest_of_bytes(bytes, LARGE);
    assert_true(start(one));
    assert_int_equal(store_upload_open(one, "r", id, &stopped, &err), 0);
    assert_int_equal(upload_write(stopped, others, PART + 1, &err), 0);
    s3_pass_time(store_get_storage(two), LONG_S);
    assert_int_equal(store_upload_open(two, "r", id, &upload, &err), 0);
    assert_int_equal(upload_write(upload, bytes, LARGE, &err), 0);
    assert_int_equal(upload_write(stopped, others, 2 * PART, &err), 0); /* sends part 2 */
    assert_int_equal(upload_commit(upload, &digest, NULL, &err), -EIO);
    assert_says(&err, "another process has replaced parts");
    upload_release(stopped);
    upload_release(upload);
    free(bytes);
    free(others);
}

/* --- crashes ---------------------------------------------------------------------------------- */

/* What a client was told before its server was killed. */
struct told {
    bool is_started, is_patched, is_committed;
};

static struct told push_until_killed(unsigned number, size_t part_size, unsigned requests,
                                     const char *bytes, size_t size)
{
    struct store *server = server_open_with_parts(number, part_size);
    struct told told = {0};
    char access[16];

    snprintf(access, sizeof(access), "AK-%u-", number);
    small_store_cut_off(bucket, access, requests);
    *id = '\0';
    told.is_started = start(server);
    told.is_patched = told.is_started && patch(server, bytes, size - 1);
    told.is_committed =
        told.is_patched && finish(server, bytes + size - 1, 1, digest_of_bytes(bytes, size));
    store_close(server);
    small_store_cut_off(bucket, "", 0);
    return told;
}

/* Nothing acknowledged is lost, and a purge leaves nothing. */
static void check_after_kill(struct store *other, const struct told *told, const char *bytes,
                             size_t size)
{
    struct digest digest = digest_of_bytes(bytes, size);
    uint64_t there = size_of_session(other);
    struct error err = {0};

    if (told->is_committed)
        assert_blob_is(other, digest, bytes, size);
    else if (told->is_started)
        assert_true(there <= size);
    if (told->is_patched && !told->is_committed) {
        assert_true(there >= size - 1); /* the last byte came with the request that was killed */
        assert_true(finish(other, bytes + there, size - there, digest));
        assert_blob_is(other, digest, bytes, size);
    }
    s3_pass_time(store_get_storage(other), LONG_S);
    if (store_purge_uploads(other, 1, false, NULL, NULL, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(small_store_count(bucket, "_uploads"), 0);
}

static void kill_at_each_request(size_t part_size, size_t size, unsigned least)
{
    char *bytes = malloc(size);
    struct told told = {0};
    unsigned requests = 0;

    fill_bytes(bytes, size);
    for (; !told.is_committed; requests++) {
        CLEANUP(store_closep) struct store *other = NULL;

        bytes[0] = (char)requests; /* another blob each time */
        told = push_until_killed(2 * requests + 1, part_size, requests, bytes, size);
        other = server_open_with_parts(2 * requests + 2, part_size);
        s3_pass_time(store_get_storage(other), LONG_S);
        check_after_kill(other, &told, bytes, size);
    }
    assert_true(requests > least);
    free(bytes);
}

static void a_short_upload_survives_a_kill_at_each_request(void **state)
{
    (void)state;
    kill_at_each_request(0, 4096, 5);
}

static void purge_all(struct store *server)
{
    struct error err = {0};

    if (store_purge_uploads(server, WEEK_S * UINT64_C(1000), false, NULL, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void an_upload_in_parts_survives_a_kill_at_each_request(void **state)
{
    struct store *server;

    (void)state;
    kill_at_each_request(PART, LARGE, 12);
    /* One kill came between the start of a multipart upload and the state that names it. */
    assert_int_equal(small_store_count_multiparts(bucket), 1);
    server = server_open(1001);
    purge_all(server); /* it is young */
    assert_int_equal(small_store_count_multiparts(bucket), 1);
    small_store_pass_time(bucket, WEEK_S + 1);
    store_close(server);
    server = server_open(1002);
    purge_all(server);
    assert_int_equal(small_store_count_multiparts(bucket), 0);
    store_close(server);
}

/* An upload may take longer than a week, and its state may be kept again and again. */
static void a_multipart_upload_that_a_state_names_stays(void **state)
{
    struct store *server = server_open_with_parts(1, PART);
    char *bytes = malloc(LARGE);
    struct upload *upload;
    struct error err = {0};

    (void)state;
    fill_bytes(bytes, LARGE);
    assert_true(start(server));
    assert_true(patch(server, bytes, LARGE - 1));
    assert_int_equal(store_upload_create(server, "r", DIGEST_SHA256, &upload, &err), 0);
    assert_int_equal(upload_write(upload, bytes, 2 * PART, &err), 0);
    assert_int_equal(small_store_count_multiparts(bucket), 2);
    small_store_pass_time(bucket, WEEK_S + 1);
    assert_int_equal(storage_clean_up(store_get_storage(server), 0, &err), 0);
    assert_int_equal(small_store_count_multiparts(bucket), 2);
    assert_true(finish(server, bytes + LARGE - 1, 1, digest_of_bytes(bytes, LARGE)));
    assert_int_equal(upload_cancel(upload, &err), 0);
    upload_release(upload);
    free(bytes);
    store_close(server);
    assert_int_equal(small_store_count_multiparts(bucket), 0);
}

/* What no client was told of leaves at most a blob without a link. */
static void an_upload_of_one_request_leaves_nothing(void **state)
{
    struct digest digest = digest_of_bytes("hello", 5);
    bool is_pushed = false;

    (void)state;
    for (unsigned i = 0; !is_pushed; i++) {
        struct store *server = server_open(2 * i + 1), *other;
        char access[16];

        snprintf(access, sizeof(access), "AK-%u-", 2 * i + 1);
        small_store_cut_off(bucket, access, i);
        is_pushed = push_at_once(server, "hello", 5, digest);
        store_close(server);
        other = server_open(2 * i + 2);
        assert_int_equal(has_blob(other, digest), is_pushed);
        store_close(other);
        assert_int_equal(small_store_count(bucket, "_uploads"), 0);
    }
}

/* --- purging ---------------------------------------------------------------------------------- */

enum { INTERVAL_S = 24 * 60 * 60 };

static int purge_in_turn(struct store *server)
{
    struct error err = {0};
    int r =
        store_purge_uploads_in_turn(server, INTERVAL_S * UINT64_C(1000), 1000, NULL, NULL, &err);

    if (r < 0)
        fail_msg("%s", err.text);
    return r;
}

static void of_several_servers_one_purges(void **state)
{
    CLEANUP(store_closep) struct store *one = server_open(1);
    CLEANUP(store_closep) struct store *two = server_open(2);

    (void)state;
    assert_true(start(one));
    small_store_pass_time(bucket, INTERVAL_S);
    assert_int_equal(purge_in_turn(two), 0);
    assert_int_equal(small_store_count(bucket, "_uploads"), 0);
    free(small_store_take_log(bucket));
    assert_int_equal(purge_in_turn(one), STORE_BUSY);
    assert_requests(""); /* no list */
    small_store_pass_time(bucket, INTERVAL_S);
    assert_int_equal(purge_in_turn(one), 0);
}

static void nobody_purges_beside_another_server(void **state)
{
    CLEANUP(store_closep) struct store *one = server_open(1);
    CLEANUP(store_closep) struct store *two = server_open(2);
    struct error err = {0};
    struct lease lease;

    (void)state;
    assert_int_equal(lease_take(one, "leases/upload-purge", &lease, &err), 0);
    assert_int_equal(purge_in_turn(two), STORE_BUSY);
    lease_release(&lease);
    assert_int_equal(purge_in_turn(two), 0);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_upload_of_one_request_has_no_state),
        CASE(an_upload_in_two_requests_writes_its_state_twice),
        CASE(a_patch_writes_the_state_twice),
        CASE(another_server_reads_the_state_once),
        CASE(one_server_at_a_time_writes),
        CASE(a_cancelled_session_is_gone_for_every_server),
        CASE(tails_of_every_length_are_kept),
        CASE(a_part_that_another_server_replaced_is_noticed),
        CASE(a_short_upload_survives_a_kill_at_each_request),
        CASE(an_upload_in_parts_survives_a_kill_at_each_request),
        CASE(a_multipart_upload_that_a_state_names_stays),
        CASE(an_upload_of_one_request_leaves_nothing),
        CASE(of_several_servers_one_purges),
        CASE(nobody_purges_beside_another_server),
    };

    return cmocka_run_group_tests_name("s3-uploads", tests, NULL, NULL);
}
