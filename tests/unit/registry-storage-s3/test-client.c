/* Requests to a server that fails in every way. */
#include "registry/storage/s3/client.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/monotonic.h"
#include "registry/storage/s3/transport.h"
#include "tests/unit/check.h"
#include "tests/unit/registry-storage-s3/fake-server.h"

enum {
    DEADLINE_MS = 120000,
    LARGE = 2 << 20,
    HUGE = 64 << 20 /* more than all buffers on the way */
};

static struct fake_server *server;
static struct keyring *keyring;
static struct s3_client *client;

static void start(fake_function *answer, unsigned deadline_ms)
{
    static const struct secbuf secret = {.data = (unsigned char *)"s", .size = 1, .capacity = 1};
    const struct keyring_options keys = {.access = "AK", .secret = &secret};
    struct error err = {0};

    server = fake_server_new(answer);
    assert_int_equal(keyring_new(&keys, &keyring, &err), 0);
    const struct s3_client_options options = {
        .endpoint = fake_server_get_endpoint(server),
        .bucket = "bucket",
        .region = "us-east-1",
        .deadline_ms = deadline_ms,
        .transport = {.connections = 4, .connect_ms = 60000, .idle_s = 60},
    };
    if (s3_client_new(&options, keyring, &client, &err) < 0)
        fail_msg("%s", err.text);
}

static int tear_down(void **state)
{
    (void)state;
    s3_client_free(client);
    fake_server_free(server);
    keyring_free(keyring);
    return 0;
}

static int call(const char *method, const char *key, struct s3_answer *answer, struct error *err)
{
    const struct s3_request request = {.method = method, .key = key, .limit = 1000};

    return s3_call(client, &request, answer, err);
}

/* --- requests -------------------------------------------------------------------------------- */

static bool check_request(int socket, const struct fake_request *request)
{
    static const char line[] = "PUT /bucket/a%20b/c?partNumber=1&uploadId=x%2Fy HTTP/1.1\r\n";
    bool is_right =
        strncmp(request->head, line, strlen(line)) == 0 &&
        fake_has_line(request, "x-amz-meta-a: b") && fake_has_line(request, "content-length: 5") &&
        strcmp(request->body, "hello") == 0 && strcasestr(request->head, "\r\nhost: 127.0.0.1:") &&
        fake_has_line(request,
                      "x-amz-content-sha256: "
                      "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824") &&
        strcasestr(request->head,
                   "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-a,") &&
        !strcasestr(request->head, "\r\nexpect:") && !strcasestr(request->head, "\r\naccept:");

    return fake_say(socket, is_right ? "200 OK" : "400 Bad Request", "ETag:  \"e\" \r\n", "");
}

static void a_request_has_all_its_parts(void **state)
{
    const struct s3_pair query[] = {{"uploadId", "x/y"}, {"partNumber", "1"}},
                         header = {"x-amz-meta-a", "b"};
    const struct s3_request request = {
        .method = "PUT",
        .key = "a b/c",
        .query = query,
        .query_count = 2,
        .headers = &header,
        .header_count = 1,
        .body = "hello",
        .body_size = 5,
        .limit = 100,
    };
    struct s3_answer answer;
    struct error err = {0};

    (void)state;
    start(check_request, DEADLINE_MS);
    if (s3_call(client, &request, &answer, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(answer.status, 200);
    assert_string_equal(s3_answer_get_header(&answer, "etag"), "\"e\"");
    assert_null(s3_answer_get_header(&answer, "eta"));
    assert_null(s3_answer_get_header(&answer, "none"));
    s3_answer_done(&answer);
}

static bool say_connection(int socket, const struct fake_request *request)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", request->connection);
    return fake_say(socket, "200 OK", "", text);
}

static void a_connection_is_kept(void **state)
{
    struct error err = {0};

    (void)state;
    start(say_connection, DEADLINE_MS);
    for (int i = 0; i < 5; i++) {
        struct s3_answer answer;

        assert_int_equal(call("GET", "k", &answer, &err), 0);
        assert_string_equal(answer.bytes, "0");
        s3_answer_done(&answer);
    }
}

/* --- answers --------------------------------------------------------------------------------- */

static bool say_errors(int socket, const struct fake_request *request)
{
    static const char body[] =
        "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>m</Message></Error>";

    if (strstr(request->head, "/missing"))
        return fake_say(socket, "404 Not Found", "", body);
    if (strstr(request->head, "/refused"))
        return fake_say(socket, "403 Forbidden", "",
                        "<Error><Code>SignatureDoesNotMatch</Code></Error>");
    if (strstr(request->head, "/odd"))
        return fake_say(socket, "400 Bad Request", "", "<Error><Code>Inv");
    if (strstr(request->head, "/moved"))
        return fake_say(socket, "301 Moved", "Location: http://127.0.0.1:1/\r\n", "");
    return fake_say(socket, "200 OK", "", "\n<Error><Code>NotImplemented</Code></Error>");
}

static void errors_are_told_apart(void **state)
{
    struct s3_answer answer;
    struct error err = {0};

    (void)state;
    start(say_errors, DEADLINE_MS);
    assert_int_equal(call("GET", "missing", &answer, &err), 0);
    assert_int_equal(answer.status, 404);
    assert_string_equal(answer.code, "NoSuchKey");
    s3_answer_done(&answer);
    assert_int_equal(call("GET", "refused", &answer, &err), -EACCES);
    assert_string_equal(err.text,
                        "GET bucket/refused: the store answered 403 SignatureDoesNotMatch");
    assert_int_equal(call("GET", "odd", &answer, &err), -EIO);
    assert_string_equal(err.text, "GET bucket/odd: the store answered 400");
    assert_int_equal(call("GET", "moved", &answer, &err), -EIO);
    assert_says(&err, "301");
    /* A copy or a completed upload that fails after the head of its answer was sent. */
    assert_int_equal(call("POST", "late", &answer, &err), -EIO);
    assert_says(&err, "200 NotImplemented");
    assert_int_equal(fake_server_count_requests(server), 5);
}

static bool say_much(int socket, const struct fake_request *request)
{
    static const char chunked[] =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello!\r\n0\r\n\r\n";

    if (strstr(request->head, "/chunked"))
        return fake_write(socket, chunked, strlen(chunked));
    return fake_say(socket, "200 OK", "", "123456");
}

static void a_body_has_a_limit(void **state)
{
    struct s3_request request = {.method = "GET", .key = "k", .limit = 6};
    struct s3_answer answer;
    struct error err = {0};

    (void)state;
    start(say_much, DEADLINE_MS);
    for (int i = 0; i < 2; i++) {
        request.limit = 6;
        assert_int_equal(s3_call(client, &request, &answer, &err), 0);
        assert_int_equal(answer.size, 6);
        assert_string_equal(answer.bytes, i == 0 ? "123456" : "hello!");
        s3_answer_done(&answer);
        request.limit = 5;
        assert_int_equal(s3_call(client, &request, &answer, &err), -EFBIG);
        request.key = "chunked";
    }
}

static bool say_length_only(int socket, const struct fake_request *request)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 123456789012\r\nETag: \"e\"\r\n"
                               "Date: Mon, 30 Nov 2026 11:12:35 GMT\r\n\r\n";

    (void)request;
    return fake_write(socket, head, strlen(head));
}

static void a_head_has_a_length_and_no_body(void **state)
{
    struct s3_answer answer;
    struct error err = {0};
    uint64_t size;

    (void)state;
    start(say_length_only, DEADLINE_MS);
    assert_int_equal(call("HEAD", "k", &answer, &err), 0);
    assert_int_equal(s3_answer_get_size(&answer, "content-length", &size), 0);
    assert_int_equal(size, 123456789012);
    assert_int_equal(s3_answer_get_size(&answer, "etag", &size), -EBADMSG);
    assert_int_equal(s3_answer_get_size(&answer, "none", &size), -EBADMSG);
    s3_answer_done(&answer);
    assert_true(s3_client_now(client) - 1796037155 < 3600 && s3_client_now(client) >= 1796037155);
}

/* --- tries ----------------------------------------------------------------------------------- */

/* Fails in a different way each time, and then does not. */
static bool fail_at_first(int socket, const struct fake_request *request)
{
    static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc";

    switch (fake_server_count_requests(server)) {
    case 1:
        return false; /* closed without an answer */
    case 2:
        return fake_say(socket, "503 Slow Down", "", "<Error><Code>SlowDown</Code></Error>");
    case 3:
        fake_write(socket, cut, strlen(cut));
        return false;
    case 4:
        return fake_say(socket, "500 Internal Server Error", "", "");
    case 5:
        return fake_say(socket, "200 OK", "",
                        strncmp(request->head, "GET", 3) == 0
                            ? "right"
                            : "<Error><Code>InternalError</Code></Error>");
    case 6:
        return fake_say(socket, "409 Conflict", "",
                        "<Error><Code>ConcurrentModification</Code></Error>");
    default:
        return fake_say(socket, "200 OK", "", "right");
    }
}

static void failures_that_pass_are_tried_again(void **state)
{
    struct s3_answer answer;
    struct error err = {0};

    (void)state;
    start(fail_at_first, DEADLINE_MS);
    if (call("POST", "k", &answer, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(answer.bytes, "right");
    assert_int_equal(fake_server_count_requests(server), 7);
    s3_answer_done(&answer);
}

static bool always_fail(int socket, const struct fake_request *request)
{
    (void)request;
    return fake_say(socket, "503 Slow Down", "", "<Error><Code>SlowDown</Code></Error>");
}

static void a_deadline_ends_the_tries(void **state)
{
    struct s3_answer answer;
    struct error err = {0};

    (void)state;
    start(always_fail, 300);
    assert_int_equal(call("GET", "k", &answer, &err), -EHOSTDOWN);
    assert_says(&err, "GET bucket/k: "); /* that it is slow, or that time has run out while it says so */
}

static bool say_nothing(int socket, const struct fake_request *request)
{
    char byte;

    (void)request;
    (void)recv(socket, &byte, 1, 0); /* until the client gives up */
    return false;
}

static void a_silent_server_is_left_at_the_deadline(void **state)
{
    struct s3_answer answer;
    struct error err = {0};

    (void)state;
    start(say_nothing, 200);
    assert_int_equal(call("GET", "k", &answer, &err), -EHOSTDOWN);
    assert_says(&err, "GET bucket/k: ");
}

static void a_server_that_is_not_there_is_an_error(void **state)
{
    struct s3_answer answer;
    struct error err = {0};

    (void)state;
    start(always_fail, 200);
    fake_server_free(server); /* its port is closed now */
    assert_int_equal(call("GET", "k", &answer, &err), -EHOSTDOWN);
    assert_says(&err, "GET bucket/k: ");
    server = fake_server_new(always_fail); /* for the end of the test */
}

/* --- streams --------------------------------------------------------------------------------- */

static char byte_at(size_t i)
{
    return (char)(i * 31 + i / 4099);
}

static unsigned long sent; /* by the server, atomic */

static bool say_large(int socket, const struct fake_request *request)
{
    size_t size = strstr(request->head, "/huge") ? HUGE : LARGE;
    static char block[64 << 10];
    char head[100];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    if (!fake_write(socket, head, strlen(head)))
        return false;
    for (size_t at = 0; at < size; at += sizeof(block)) {
        for (size_t i = 0; i < sizeof(block); i++)
            block[i] = byte_at(at + i);
        if (!fake_write(socket, block, sizeof(block)))
            return false;
        __atomic_store_n(&sent, at + sizeof(block), __ATOMIC_SEQ_CST);
    }
    return true;
}

static void open_stream(const char *key, struct s3_answer *answer)
{
    const struct s3_request request = {.method = "GET", .key = key, .is_stream = true};
    struct error err = {0};

    if (s3_call(client, &request, answer, &err) < 0)
        fail_msg("%s", err.text);
}

static void a_stream_has_all_bytes_in_order(void **state)
{
    struct s3_answer answer;
    char piece[10007];
    size_t at = 0;
    ssize_t n;

    (void)state;
    start(say_large, DEADLINE_MS);
    open_stream("large", &answer);
    while ((n = s3_answer_read(&answer, piece, sizeof(piece))) > 0) {
        for (ssize_t i = 0; i < n; i++, at++)
            if (piece[i] != byte_at(at))
                fail_msg("byte %zu", at);
    }
    assert_int_equal(n, 0);
    assert_int_equal(at, LARGE);
    assert_int_equal(s3_answer_read(&answer, piece, 1), 0);
    s3_answer_done(&answer);
}

/* What nobody reads stays with the server: its writes stop when the buffers of both kernels and
 * ours are full. */
static void a_stream_that_is_not_read_stops_the_server(void **state)
{
    struct s3_answer answer;
    unsigned long before, after = 0;
    char byte;

    (void)state;
    start(say_large, DEADLINE_MS);
    __atomic_store_n(&sent, 0, __ATOMIC_SEQ_CST);
    open_stream("huge", &answer);
    assert_int_equal(s3_answer_read(&answer, &byte, 1), 1);
    do {
        before = after;
        usleep(200000);
        after = __atomic_load_n(&sent, __ATOMIC_SEQ_CST);
    } while (after != before || after == 0);
    assert_true(after < HUGE);
    s3_answer_done(&answer); /* the rest is not fetched */
}

static void spin(int64_t microseconds)
{
    struct timespec now, begin;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000000 + (now.tv_nsec - begin.tv_nsec) / 1000 <
           microseconds);
}

/* The read makes room in a full buffer, so that the transport's thread goes on with the stream at
 * the moment when the caller closes it. */
static void a_stream_may_be_closed_while_it_goes_on(void **state)
{
    static char window[TRANSPORT_WINDOW];

    (void)state;
    start(say_large, DEADLINE_MS);
    for (int i = 0; i < 400; i++) {
        struct s3_answer answer;

        open_stream("huge", &answer);
        usleep(2000);
        assert_true(s3_answer_read(&answer, window, sizeof(window)) > 0);
        spin(i / 2);
        s3_answer_done(&answer);
    }
}

static bool cut_in_stream(int socket, const struct fake_request *request)
{
    static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc";

    (void)request;
    fake_write(socket, cut, strlen(cut));
    return false;
}

static void a_stream_that_is_cut_says_so(void **state)
{
    struct s3_answer answer;
    char piece[10];

    (void)state;
    start(cut_in_stream, DEADLINE_MS);
    open_stream("huge", &answer);
    assert_int_equal(s3_answer_read(&answer, piece, sizeof(piece)), 3);
    assert_int_equal(s3_answer_read(&answer, piece, sizeof(piece)), -ECONNRESET);
    s3_answer_done(&answer);
}

#define CASE(function) cmocka_unit_test_teardown(function, tear_down)

/* --- the end --------------------------------------------------------------------------------- */

struct caller {
    pthread_t thread;
    int result;
    struct error err;
};

static void *call_in_thread(void *object)
{
    struct caller *caller = object;
    struct s3_answer answer;

    caller->result = call("GET", "k", &answer, &caller->err);
    if (caller->result == 0)
        s3_answer_done(&answer);
    return NULL;
}

static void wait_for_requests(unsigned count)
{
    while (fake_server_count_requests(server) < count)
        usleep(1000);
}

static void the_end_ends_requests_that_wait_for_an_answer(void **state)
{
    struct caller caller = {0};
    struct s3_answer answer;
    struct error err = {0};

    (void)state;
    start(say_nothing, DEADLINE_MS);
    assert_int_equal(pthread_create(&caller.thread, NULL, call_in_thread, &caller), 0);
    wait_for_requests(1);
    s3_client_end_at(client, monotonic_ms() + 50);
    pthread_join(caller.thread, NULL);
    assert_int_equal(caller.result, -ESHUTDOWN);
    assert_says(&caller.err, "GET bucket/k: the server is being stopped");
    assert_int_equal(call("GET", "k", &answer, &err), -ESHUTDOWN);
    assert_int_equal(fake_server_count_requests(server), 1);
    assert_false(s3_client_is_down(client));
}

/* Between two tries of a request that fails for a while there are seconds. */
static void the_end_ends_pauses_between_tries(void **state)
{
    struct caller caller = {0};

    (void)state;
    start(always_fail, DEADLINE_MS);
    assert_int_equal(pthread_create(&caller.thread, NULL, call_in_thread, &caller), 0);
    wait_for_requests(3);
    s3_client_end_at(client, monotonic_ms());
    pthread_join(caller.thread, NULL);
    assert_true(caller.result == -EHOSTDOWN || caller.result == -ESHUTDOWN);
}

static void the_end_ends_streams(void **state)
{
    struct s3_answer answer;
    static char piece[64 << 10];
    ssize_t n;

    (void)state;
    start(say_large, DEADLINE_MS);
    open_stream("huge", &answer);
    assert_int_equal(s3_answer_read(&answer, piece, 1), 1);
    s3_client_end_at(client, monotonic_ms());
    while ((n = s3_answer_read(&answer, piece, sizeof(piece))) > 0)
        ;
    assert_int_equal(n, -ESHUTDOWN);
    s3_answer_done(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_request_has_all_its_parts),
        CASE(a_connection_is_kept),
        CASE(errors_are_told_apart),
        CASE(a_body_has_a_limit),
        CASE(a_head_has_a_length_and_no_body),
        CASE(failures_that_pass_are_tried_again),
        CASE(a_deadline_ends_the_tries),
        CASE(a_silent_server_is_left_at_the_deadline),
        CASE(a_server_that_is_not_there_is_an_error),
        CASE(a_stream_has_all_bytes_in_order),
        CASE(a_stream_that_is_not_read_stops_the_server),
        CASE(a_stream_may_be_closed_while_it_goes_on),
        CASE(a_stream_that_is_cut_says_so),
        CASE(the_end_ends_requests_that_wait_for_an_answer),
        CASE(the_end_ends_pauses_between_tries),
        CASE(the_end_ends_streams),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
