/*
 * What libmicrohttpd refuses by itself, for it is no HTTP: it answers with a page of HTML, tells nobody, and 0.9.75 sends
 * the head of some of these answers twice. It queues them with MHD_queue_response(), which it calls as we would, by the
 * dynamic linker; and there a program's own function of that name comes first. So it is ours that is called: it sends the
 * specification's errors on the connection itself, says so to the log, and leaves the library a connection that takes
 * no more. A library that called its own function directly would send its page again.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "registry/http/request-private.h"
#include "registry/http/tls.h"
#include "registry/spec/error-code.h"

#define CONTENT_TYPE "application/json; charset=utf-8"

/* What the client has sent is read so far: closing a socket with bytes unread would take the answer back. */
enum { THROWN_AWAY_MAX = 64 << 10 };

static enum MHD_Result (*queue)(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response);

int server_find_queue(struct error *err)
{
    void *symbol = dlsym(RTLD_NEXT, "MHD_queue_response");

    if (!symbol)
        return error_set(err, ENOSYS, "libmicrohttpd is none that can be used: %s", dlerror());
    memcpy(&queue, &symbol, sizeof(queue));
    return 0;
}

enum MHD_Result server_queue(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
    return queue(connection, status, response);
}

/* --- the answer ----------------------------------------------------------------------- */

/* The status is all that the library tells us. */
static const struct refusal {
    unsigned status;
    enum error_code code;
    const char *message;
} refusals[] = {
    {413, ERROR_CODE_SIZE_INVALID, "the body is longer than a number can say"},
    {414, ERROR_CODE_UNSUPPORTED, "the target is too long"},
    {431, ERROR_CODE_UNSUPPORTED, "the headers are too long"},
    {500, ERROR_CODE_UNKNOWN, "this server is at fault"},
    {505, ERROR_CODE_UNSUPPORTED, "HTTP/1.1 and 1.0 are understood here"},
    {0, ERROR_CODE_UNSUPPORTED, "the request, or the encoding of its body, is malformed"},
};

static const struct refusal *find_refusal(unsigned status)
{
    const struct refusal *refusal = refusals;

    while (refusal->status && refusal->status != status)
        refusal++;
    return refusal;
}

static void write_date(FILE *stream)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[64];

    /* The program keeps to the C locale, whose names of days are those of HTTP. */
    if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
        fprintf(stream, "Date: %s\r\n", text);
}

/* All of it as it goes over the wire; the caller's, free with free(). NULL where memory is out. */
static char *format_answer(const struct server_options *options, unsigned status, bool has_body, size_t *ret_size,
                           size_t *ret_body_size)
{
    const struct refusal *refusal = find_refusal(status);
    CLEANUP_FREE char *body = error_code_format_message(refusal->code, refusal->message, NULL, ret_body_size);
    char *answer = NULL;
    FILE *stream = body ? open_memstream(&answer, ret_size) : NULL;
    bool is_written;

    if (!stream)
        return NULL;
    fprintf(stream, "HTTP/1.1 %u %s\r\n", status, MHD_get_reason_phrase_for(status));
    write_date(stream);
    fprintf(stream, "Connection: close\r\nContent-Type: " CONTENT_TYPE "\r\nContent-Length: %zu\r\n"
            "Docker-Distribution-Api-Version: registry/2.0\r\n", *ret_body_size);
    for (size_t i = 0; i < options->header_count; i++)
        fprintf(stream, "%s: %s\r\n", options->headers[i].name, options->headers[i].value);
    fprintf(stream, "\r\n%s", has_body ? body : "");
    is_written = !ferror(stream);
    if (fclose(stream) == 0 && is_written)
        return answer;
    free(answer);
    return NULL;
}

/* --- its way --------------------------------------------------------------------------- */

/* What does not fit into the socket's buffer, which is empty as a rule, is lost; so the client sees it cut off. */
static void send_plain(int fd, const char *answer, size_t size)
{
    char ignored[4096];
    ssize_t n = 1;

    for (size_t taken = 0; n > 0 && taken < THROWN_AWAY_MAX; taken += (size_t)n)
        n = recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT);
    (void)send(fd, answer, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_last(struct MHD_Connection *connection, bool is_tls, const char *answer, size_t size)
{
    int fd = server_get_fd(connection);

    if (answer && is_tls)
        tls_say_last(server_get_session(connection), THROWN_AWAY_MAX, answer, size);
    else if (answer)
        send_plain(fd, answer, size);
    /* What the library sends now fails, and it closes the connection. */
    shutdown(fd, SHUT_WR);
}

/* One that has come as far as to a handler of ours is reported when it is over, any other here. */
static void report(struct exchange *exchange, struct server *server, struct MHD_Connection *connection, unsigned status,
                   uint64_t sent)
{
    struct exchange stranger = {.server = server, .connection = connection};
    bool is_known = exchange && exchange->server;
    struct exchange *told = is_known ? exchange : &stranger;

    told->status = status;
    told->sent = sent;
    snprintf(told->content_type, sizeof(told->content_type), "%s", CONTENT_TYPE);
    if (is_known)
        return;
    clock_gettime(CLOCK_MONOTONIC, &stranger.begin);
    if (exchange) {
        stranger.begin = exchange->begin;
        stranger.request.uri = exchange->uri;
    }
    server_describe_client(&stranger);
    server_report(&stranger);
}

static void refuse(struct server *server, struct MHD_Connection *connection, unsigned status)
{
    struct exchange *exchange = server_find_exchange(connection);
    bool has_body = !exchange || exchange->request.method != ROUTE_METHOD_HEAD;
    size_t size = 0, body_size = 0;
    CLEANUP_FREE char *answer = format_answer(&server->options, status, has_body, &size, &body_size);

    send_last(connection, server->options.is_tls, answer, size);
    report(exchange, server, connection, status, has_body ? body_size : 0);
}

/* Called by libmicrohttpd alone, on the event thread of the connection. */
__attribute__((visibility("default"))) enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned status,
                                                                          struct MHD_Response *response)
{
    struct server *server = server_find(connection);

    if (server)
        refuse(server, connection, status);
    return queue(connection, status, response);
}
