/* Objects in a store that fails at the worst moments. A store that does not is
 * tests/e2e/s3-gateway.py. */
#include "registry/storage/s3/s3.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/registry-storage-s3/fake-server.h"

enum { LARGE = 2 << 20 };

#define ETAG "\"0123456789abcdef0123456789abcdef\""

/* What the fake store does wrong. */
static struct {
    bool ignores_if_match, ignores_if_none_match, keeps_delete_condition, has_bare_etags;
} faults;

static fake_function *rest; /* answers what is not part of the probe */
static struct fake_server *server;
static struct keyring *keyring;
static struct s3_client *client;
static struct storage *storage;

static bool is_request(const struct fake_request *request, const char *method, const char *part)
{
    const char *end = strstr(request->head, "\r\n"), *found = strstr(request->head, part);

    return strncmp(request->head, method, strlen(method)) == 0 && found && found < end;
}

static bool say_head(int socket, const char *status, const char *etag, size_t size,
                     const char *more)
{
    char head[1024];

    snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\nETag: %s\r\n%s\r\n", status,
             size, etag, more);
    return fake_write(socket, head, strlen(head));
}

/* One object, whose ETag is that of the last body. */
static bool answer_probe(int socket, const struct fake_request *request)
{
    static char etag[64];
    char line[128];
    bool is_put = strncmp(request->head, "PUT", 3) == 0;

    snprintf(line, sizeof(line), faults.has_bare_etags ? "if-match: %s" : "if-match: \"%s\"", etag);
    if (is_put && strcasestr(request->head, "\r\nif-none-match:") && !faults.ignores_if_none_match)
        return fake_say(socket, "412 Precondition Failed", "", "");
    if (is_put && strcasestr(request->head, "\r\nif-match:") && !fake_has_line(request, line) &&
        !faults.ignores_if_match)
        return fake_say(socket, "412 Precondition Failed", "", "");
    if (is_put)
        snprintf(etag, sizeof(etag), "etag-of-%.16s", request->body);
    if (strncmp(request->head, "DELETE", 6) == 0 && strcasestr(request->head, "\r\nif-match:") &&
        faults.keeps_delete_condition)
        return fake_say(socket, "412 Precondition Failed", "", "");
    if (strncmp(request->head, "DELETE", 6) == 0)
        return fake_say(socket, "204 No Content", "", "");
    snprintf(line, sizeof(line), "\"%s\"", etag);
    return say_head(socket, "200 OK", line, 0, "");
}

static bool answer(int socket, const struct fake_request *request)
{
    if (is_request(request, "HEAD", " /bucket "))
        return say_head(socket, "200 OK", ETAG, 0, "");
    if (strstr(request->head, "/registryd/servers/")) /* the lease */
        return say_head(socket, "200 OK", ETAG, 0, "");
    if (strstr(request->head, "/registryd/doomed"))
        return fake_say(socket, "404 Not Found", "", "");
    return strstr(request->head, "/registryd/probe/") ? answer_probe(socket, request)
                                                      : rest(socket, request);
}

static int try_open(fake_function *others, struct error *err)
{
    static const struct secbuf secret = {.data = (unsigned char *)"s", .size = 1, .capacity = 1};
    const struct keyring_options keys = {.access = "AK", .secret = &secret};

    rest = others;
    server = fake_server_new(answer);
    assert_int_equal(keyring_new(&keys, &keyring, err), 0);
    const struct s3_client_options options = {
        .endpoint = fake_server_get_endpoint(server),
        .bucket = "bucket",
        .region = "us-east-1",
        .deadline_ms = 120000,
        .transport = {.connections = 4, .connect_ms = 60000, .idle_s = 60},
    };
    assert_int_equal(s3_client_new(&options, keyring, &client, err), 0);
    return s3_open(&(struct s3_options){.client = client, .root = "/base/"}, &storage, err);
}

static void open_bucket(fake_function *others)
{
    struct error err = {0};

    if (try_open(others, &err) < 0)
        fail_msg("%s", err.text);
}

static int tear_down(void **state)
{
    (void)state;
    if (storage)
        storage_close(storage);
    storage = NULL;
    s3_client_free(client);
    fake_server_free(server);
    keyring_free(keyring);
    faults.ignores_if_match = faults.ignores_if_none_match = false;
    faults.keeps_delete_condition = faults.has_bare_etags = false;
    return 0;
}

/* --- what a store must do -------------------------------------------------------------------- */

static void a_store_without_conditions_is_refused(void **state)
{
    struct error err = {0};

    (void)state;
    faults.ignores_if_match = true;
    assert_int_equal(try_open(NULL, &err), -ENOTSUP);
    assert_says(&err, "the store ignores or refuses If-Match of PUT");
}

static void a_store_that_replaces_is_refused(void **state)
{
    struct error err = {0};

    (void)state;
    faults.ignores_if_none_match = true;
    assert_int_equal(try_open(NULL, &err), -ENOTSUP);
    assert_says(&err, "the store ignores If-None-Match of PUT");
}

/* --- versions and deletes -------------------------------------------------------------------- */

static char last_head[8192]; /* of the last request that was not HEAD */
static char heads[65536];    /* the first lines of all requests */

static bool record(int socket, const struct fake_request *request)
{
    snprintf(heads + strlen(heads), sizeof(heads) - strlen(heads), "%.*s\n",
             (int)strcspn(request->head, " "), request->head);
    if (strncmp(request->head, "HEAD", 4) != 0)
        memcpy(last_head, request->head, sizeof(last_head));
    if (strncmp(request->head, "DELETE", 6) == 0)
        return fake_say(socket, "204 No Content", "", "");
    return say_head(socket, "200 OK", ETAG, 0, "");
}

static int remove_object(void)
{
    struct storage_object object;
    struct error err = {0};
    int r;

    assert_int_equal(storage_head(storage, "k", STORAGE_MAY_WAIT, &object, &err), 0);
    heads[0] = '\0';
    r = storage_remove_if_unchanged(storage, "k", &object.version, &err);
    if (r < 0)
        fail_msg("%s", err.text);
    return r;
}

static void a_store_that_keeps_the_condition_of_delete_gets_it(void **state)
{
    (void)state;
    faults.keeps_delete_condition = true;
    open_bucket(record);
    assert_int_equal(remove_object(), 0);
    assert_string_equal(heads, "HEAD\nDELETE\n");
    assert_non_null(strstr(last_head, "if-match: " ETAG "\r\n"));
}

/* Otherwise a tombstone replaces the object, and its delete is good for a few seconds. */
static void otherwise_a_tombstone_is_deleted(void **state)
{
    (void)state;
    faults.has_bare_etags = true;
    open_bucket(record);
    assert_int_equal(remove_object(), 0);
    assert_string_equal(heads, "HEAD\nPUT\nDELETE\n");
    assert_non_null(strstr(last_head, "DELETE /bucket/base/docker/registry/v2/k?X-Amz-Algorithm="));
    assert_non_null(strstr(last_head, "&X-Amz-Expires=20&"));
    assert_null(strcasestr(last_head, "\r\nauthorization:"));
}

static bool say_tombstone(int socket, const struct fake_request *request)
{
    if (strncmp(request->head, "HEAD", 4) == 0)
        return say_head(socket, "200 OK", ETAG, 0, "x-amz-meta-registryd-removed: 1\r\n");
    return fake_say(socket, "200 OK", "ETag: " ETAG "\r\nx-amz-meta-registryd-removed: 1\r\n", "");
}

static void a_tombstone_is_a_missing_object(void **state)
{
    struct storage_object object;
    struct storage_reader *reader;
    struct error err = {0};
    char *bytes;
    size_t size;

    (void)state;
    open_bucket(say_tombstone);
    assert_int_equal(storage_head(storage, "k", STORAGE_MAY_WAIT, &object, &err),
                     STORAGE_NOT_FOUND);
    assert_int_equal(storage_get(storage, "k", 10, STORAGE_MAY_WAIT, &bytes, &size, &err),
                     STORAGE_NOT_FOUND);
    assert_int_equal(storage_open(storage, "k", STORAGE_MAY_WAIT, &reader, &object, &err),
                     STORAGE_NOT_FOUND);
    assert_int_equal(storage_head(storage, "k", STORAGE_MUST_NOT_WAIT, &object, &err),
                     STORAGE_WOULD_WAIT);
}

/* --- writes whose answer is lost ------------------------------------------------------------- */

static char written_id[64];
static bool is_ours;

static bool lose_first_answer(int socket, const struct fake_request *request)
{
    const char *id = strcasestr(request->head, "x-amz-meta-registryd-write: ");
    char more[128];

    if (strncmp(request->head, "PUT", 3) == 0 && !*written_id) {
        snprintf(written_id, sizeof(written_id), "%.36s",
                 id + strlen("x-amz-meta-registryd-write: "));
        return false; /* it is written, and the connection is lost */
    }
    if (strncmp(request->head, "PUT", 3) == 0)
        return fake_say(socket, "412 Precondition Failed", "", "");
    snprintf(more, sizeof(more), "x-amz-meta-registryd-write: %s\r\n",
             is_ours ? written_id : "another");
    return say_head(socket, "200 OK", ETAG, 3, more);
}

static void a_write_knows_itself_again(void **state)
{
    const struct storage_step step = {
        .kind = STORAGE_PUT, .key = "k", .data = "abc", .size = 3, .condition = STORAGE_IF_ABSENT};
    struct error err = {0};

    (void)state;
    open_bucket(lose_first_answer);
    for (int i = 0; i < 2; i++) {
        written_id[0] = '\0';
        is_ours = i == 0;
        assert_int_equal(storage_write(storage, &step, 1, &err), is_ours ? 0 : STORAGE_CONFLICT);
    }
}

/* --- large objects --------------------------------------------------------------------------- */

static char byte_at(size_t i)
{
    return (char)(i * 7 + i / 4093);
}

static size_t cut_at; /* bytes that each answer has at most; 0: all */
static unsigned gets;
static bool is_replaced;

static bool say_large(int socket, const struct fake_request *request)
{
    const char *range = strcasestr(request->head, "\r\nrange: bytes=");
    size_t from = range ? strtoul(range + strlen("\r\nrange: bytes="), NULL, 10) : 0,
           n = LARGE - from;
    static char bytes[LARGE];

    gets++;
    if (range && (is_replaced || !fake_has_line(request, "if-match: " ETAG)))
        return fake_say(socket, "412 Precondition Failed", "", "");
    if (!say_head(socket, range ? "206 Partial Content" : "200 OK", ETAG, n, ""))
        return false;
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(from + i);
    if (cut_at && n > cut_at)
        return fake_write(socket, bytes, cut_at) && false;
    return fake_write(socket, bytes, n);
}

static struct storage_reader *open_large(void)
{
    struct storage_reader *reader;
    struct storage_object object;
    struct error err = {0};

    gets = 0;
    if (storage_open(storage, "large", STORAGE_MAY_WAIT, &reader, &object, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(object.size, LARGE);
    assert_int_equal(storage_reader_get_fd(reader), -1);
    return reader;
}

static void read_to_end(struct storage_reader *reader, size_t at)
{
    static char piece[100003];
    ssize_t n;

    while ((n = storage_reader_read(reader, at, piece, sizeof(piece))) > 0)
        for (ssize_t i = 0; i < n; i++, at++)
            if (piece[i] != byte_at(at))
                fail_msg("byte %zu", at);
    assert_int_equal(n, 0);
    assert_int_equal(at, LARGE);
}

static void a_large_object_is_read_in_one_answer(void **state)
{
    struct storage_reader *reader;

    (void)state;
    cut_at = 0;
    is_replaced = false;
    open_bucket(say_large);
    reader = open_large();
    read_to_end(reader, 0);
    assert_int_equal(gets, 1);
    read_to_end(reader, LARGE / 2 + 1);
    assert_int_equal(gets, 2);
    storage_reader_close(reader);
}

static void a_cut_answer_is_continued(void **state)
{
    struct storage_reader *reader;

    (void)state;
    cut_at = LARGE / 3;
    is_replaced = false;
    open_bucket(say_large);
    reader = open_large();
    read_to_end(reader, 0);
    assert_int_equal(gets, 4); /* the last has what three thirds leave */
    storage_reader_close(reader);
}

static void on_ready(void *object)
{
    sem_post(object);
}

/* Waits as an event thread does if it can, otherwise as a worker. */
static void wait_for_more(struct storage_reader *reader)
{
    sem_t is_ready;

    sem_init(&is_ready, 0, 0);
    if (storage_reader_notify(reader, on_ready, &is_ready))
        while (sem_wait(&is_ready) < 0)
            assert_int_equal(errno, EINTR);
    else
        storage_reader_wait(reader);
    sem_destroy(&is_ready);
}

/* Only part of what is lent is used each time, as by a client that is slower than the store. */
static void bytes_are_lent_in_order(void **state)
{
    struct storage_reader *reader;
    size_t at = 0, most = 0;
    ssize_t n = -EAGAIN;

    (void)state;
    cut_at = LARGE / 3;
    is_replaced = false;
    open_bucket(say_large);
    reader = open_large();
    while (n != 0) {
        const void *data;

        n = storage_reader_borrow(reader, at, LARGE, &data);
        if (n == -EAGAIN) {
            wait_for_more(reader);
            continue;
        }
        assert_true(n >= 0);
        most = (size_t)n > most ? (size_t)n : most;
        n -= n / 3;
        for (ssize_t i = 0; i < n; i++)
            if (((const char *)data)[i] != byte_at(at + (size_t)i))
                fail_msg("byte %zu", at + (size_t)i);
        at += (size_t)n;
    }
    assert_int_equal(at, LARGE);
    assert_in_range(most, 1, TRANSPORT_WINDOW);
    assert_int_equal(gets, 4);
    storage_reader_close(reader);
}

/* What was lent is not read again, and what was not used is not lost. */
static void a_reader_lends_and_copies_in_turns(void **state)
{
    struct storage_reader *reader;
    const void *data;
    char piece[1000];
    size_t at = 0;
    ssize_t n;

    (void)state;
    cut_at = 0;
    is_replaced = false;
    open_bucket(say_large);
    reader = open_large();
    while (at < LARGE / 2) {
        while ((n = storage_reader_borrow(reader, at, 5000, &data)) == -EAGAIN)
            wait_for_more(reader);
        assert_in_range(n, 1, 5000);
        at += (size_t)n / 2;
        n = storage_reader_read(reader, at, piece, sizeof(piece));
        assert_in_range(n, 1, sizeof(piece));
        for (ssize_t i = 0; i < n; i++)
            if (piece[i] != byte_at(at + (size_t)i))
                fail_msg("byte %zu", at + (size_t)i);
        at += (size_t)n;
    }
    read_to_end(reader, at);
    assert_int_equal(gets, 1);
    storage_reader_close(reader);
}

static void a_replaced_object_is_never_continued(void **state)
{
    struct storage_reader *reader;
    char piece[1000];
    ssize_t n;

    (void)state;
    cut_at = LARGE / 3;
    is_replaced = true;
    open_bucket(say_large);
    reader = open_large();
    for (uint64_t at = 0; (n = storage_reader_read(reader, at, piece, sizeof(piece))) > 0;)
        at += (uint64_t)n;
    assert_int_equal(n, -ESTALE);
    storage_reader_close(reader);
}

#define CASE(function) cmocka_unit_test_teardown(function, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_store_without_conditions_is_refused),
        CASE(a_store_that_replaces_is_refused),
        CASE(a_store_that_keeps_the_condition_of_delete_gets_it),
        CASE(otherwise_a_tombstone_is_deleted),
        CASE(a_tombstone_is_a_missing_object),
        CASE(a_write_knows_itself_again),
        CASE(a_large_object_is_read_in_one_answer),
        CASE(a_cut_answer_is_continued),
        CASE(bytes_are_lent_in_order),
        CASE(a_reader_lends_and_copies_in_turns),
        CASE(a_replaced_object_is_never_continued),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
