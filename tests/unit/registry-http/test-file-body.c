/*
 * Bodies that are sent from a file with sendfile(2): if the file ends early, the rest comes from
 * the source's read().
 */
#include "registry/http/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "tests/unit/scratch.h"

enum { SIZE = 300000, HEAD_MAX = 4096, STOP_MS = 5000 };

/* The file has other bytes than read() gives, so that a test sees which of them was used. */
static int file;
static uint64_t readable; /* how many bytes of the body read() has */
static struct http_handler handler;
static struct server *server;

static ssize_t read_source(void *object, uint64_t offset, void *ret_data, size_t size)
{
    (void)object;
    if (offset >= readable)
        return -EIO;
    if (size > readable - offset)
        size = (size_t)(readable - offset);
    memset(ret_data, 'r', size);
    return (ssize_t)size;
}

static int get_file(void *object)
{
    (void)object;
    return file;
}

static void close_source(void *object)
{
    (void)object;
}

static enum http_result begin(void *context, struct request *request, struct response *response)
{
    (void)context, (void)request, (void)response;
    return HTTP_DONE;
}

static enum http_result receive(void *context, struct request *request, const void *data,
                                size_t size, struct response *response)
{
    (void)context, (void)request, (void)data, (void)size, (void)response;
    return HTTP_DONE;
}

/* A body of SIZE bytes; a target with "?" gives the part from 1000 on. */
static enum http_result answer(void *context, struct request *request, struct response *response)
{
    const struct response_source source = {
        .read = read_source, .get_fd = get_file, .close = close_source};
    const struct response_range range = {.first = 1000, .size = SIZE - 1000};

    (void)context;
    response_set_source(response, &source, SIZE, "text/plain", &range,
                        strchr(request->head->target, '?') ? 1 : 0);
    return HTTP_DONE;
}

static void refuse(void *context, const struct request *request, unsigned status, const char *why,
                   struct response *response)
{
    (void)context, (void)request, (void)why;
    response_set_empty(response, status);
}

static void end(void *context, struct request *request, const struct http_end *how)
{
    (void)context, (void)request, (void)how;
}

static int set_up(void **state)
{
    struct server_options options = {.handler = &handler};
    struct error err = {0};

    handler = (struct http_handler){
        .begin = begin, .receive = receive, .answer = answer, .refuse = refuse, .end = end};
    readable = SIZE;
    if (scratch_set_up(state) < 0 ||
        listen_open("tcp", "127.0.0.1:0", &options.listeners, &err) < 0)
        return -1;
    return server_start(&options, &server, &err);
}

static int tear_down(void **state)
{
    server_stop(server, STOP_MS);
    close(file);
    return scratch_tear_down(state);
}

/* A file of that size. */
static void make_body(size_t size)
{
    char *bytes = malloc(size + 1);

    memset(bytes, 'f', size);
    bytes[size] = '\0';
    make_file("body", bytes);
    free(bytes);
    file = open("body", O_RDONLY | O_CLOEXEC);
    assert_true(file >= 0);
}

static int connect_to_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)server_get_port(server)),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Returns the body, whatever its length, until the server closes. */
static size_t get(const char *target, char ret_body[SIZE + 1])
{
    static char text[SIZE + HEAD_MAX];
    CLEANUP_CLOSE int fd = connect_to_server();
    char request[128];
    size_t size = 0;
    const char *body;
    ssize_t n;

    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
             target);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    while (size < sizeof(text) && (n = read(fd, text + size, sizeof(text) - size)) > 0)
        size += (size_t)n;
    body = memmem(text, size, "\r\n\r\n", 4);
    assert_non_null(body);
    size -= (size_t)(body + 4 - text);
    assert_true(size <= SIZE);
    memcpy(ret_body, body + 4, size);
    return size;
}

/* The body has that many bytes from the file, and then that many from read(). */
static void assert_body(const char *target, size_t from_file, size_t from_read)
{
    static char body[SIZE + 1];
    size_t size = get(target, body);

    assert_int_equal(size, from_file + from_read);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(body[i], i < from_file ? 'f' : 'r');
}

static void a_whole_file_is_sent_without_reading(void **state)
{
    (void)state;
    make_body(SIZE);
    readable = 0;
    assert_body("/", SIZE, 0);
    assert_body("/?", SIZE - 1000, 0);
}

static void the_rest_of_a_file_that_was_cut_is_read(void **state)
{
    (void)state;
    make_body(123456);
    assert_body("/", 123456, SIZE - 123456);
    assert_body("/?", 123456 - 1000, SIZE - 123456);
}

static void a_file_that_is_empty_is_read(void **state)
{
    (void)state;
    make_body(0);
    assert_body("/", 0, SIZE);
}

static void if_neither_has_the_bytes_the_connection_ends(void **state)
{
    static char body[SIZE + 1];

    (void)state;
    make_body(123456);
    readable = 200000;
    assert_in_range(get("/", body), 123456, readable);
}

#define test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_whole_file_is_sent_without_reading),
        test(the_rest_of_a_file_that_was_cut_is_read),
        test(a_file_that_is_empty_is_read),
        test(if_neither_has_the_bytes_the_connection_ends),
    };

    return cmocka_run_group_tests_name("file-body", tests, NULL, NULL);
}
