#include "tests/unit/registry-storage-s3/fake-server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/check.h"

struct fake_server {
    int listener;
    char endpoint[64];
    fake_function *answer;
    pthread_t thread;
    pthread_mutex_t mutex;
    int socket; /* of the connection being served; -1: none */
    bool is_over;
    unsigned requests;
};

bool fake_write(int socket, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t n = send(socket, at, size, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

bool fake_say(int socket, const char *status, const char *headers, const char *body)
{
    char head[4096];
    int size = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status,
                        strlen(body), headers);

    return fake_write(socket, head, (size_t)size) && fake_write(socket, body, strlen(body));
}

bool fake_has_line(const struct fake_request *request, const char *line)
{
    char wanted[1024];

    snprintf(wanted, sizeof(wanted), "\r\n%s\r\n", line);
    return strcasestr(request->head, wanted);
}

/* Reads up to and with the empty line; the bytes come one by one, which is fast enough here. */
static bool read_head(int socket, struct fake_request *request)
{
    size_t used = 0;

    while (used < 4 || memcmp(request->head + used - 4, "\r\n\r\n", 4) != 0) {
        if (used + 1 == sizeof(request->head) || recv(socket, request->head + used, 1, 0) != 1)
            return false;
        used++;
    }
    request->head[used] = '\0';
    return true;
}

static bool read_body(int socket, struct fake_request *request)
{
    const char *length = strcasestr(request->head, "\r\ncontent-length:");
    size_t size = length ? strtoul(length + strlen("\r\ncontent-length:"), NULL, 10) : 0;

    request->body_size = 0;
    while (request->body_size < size) {
        char rest[4096];
        bool fits = size < sizeof(request->body);
        ssize_t n = recv(socket, fits ? request->body + request->body_size : rest,
                         fits ? size - request->body_size : sizeof(rest), 0);

        if (n <= 0)
            return false;
        request->body_size += (size_t)n;
    }
    request->body[size < sizeof(request->body) ? size : 0] = '\0';
    return true;
}

/* Says which socket the main thread is to shut down at the end; false if it is the end. */
static bool set_socket(struct fake_server *server, int socket)
{
    bool is_over;

    pthread_mutex_lock(&server->mutex);
    server->socket = socket;
    is_over = server->is_over;
    pthread_mutex_unlock(&server->mutex);
    return !is_over;
}

static void *serve(void *object)
{
    struct fake_server *server = object;
    struct fake_request *request = calloc(1, sizeof(*request));
    int socket;

    for (; request && (socket = accept(server->listener, NULL, NULL)) >= 0; request->connection++) {
        while (set_socket(server, socket) && read_head(socket, request) &&
               read_body(socket, request)) {
            __atomic_add_fetch(&server->requests, 1, __ATOMIC_SEQ_CST);
            if (!server->answer(socket, request))
                break;
            request->number++;
        }
        set_socket(server, -1);
        close(socket);
    }
    free(request);
    return NULL;
}

struct fake_server *fake_server_new(fake_function *answer)
{
    struct fake_server *server = calloc(1, sizeof(*server));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    assert_non_null(server);
    server->answer = answer;
    server->socket = -1;
    pthread_mutex_init(&server->mutex, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(server->endpoint, sizeof(server->endpoint), "http://127.0.0.1:%u",
             ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    return server;
}

void fake_server_free(struct fake_server *server)
{
    pthread_mutex_lock(&server->mutex);
    server->is_over = true;
    if (server->socket >= 0)
        shutdown(server->socket, SHUT_RDWR);
    pthread_mutex_unlock(&server->mutex);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

const char *fake_server_get_endpoint(const struct fake_server *server)
{
    return server->endpoint;
}

unsigned fake_server_count_requests(struct fake_server *server)
{
    return __atomic_load_n(&server->requests, __ATOMIC_SEQ_CST);
}
