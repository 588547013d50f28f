/*
 * libmicrohttpd reads a plain connection with recv() and a TLS connection with gnutls_record_recv(). Both belong to other
 * libraries, so it calls them through the dynamic linker, and there the program's own functions of these names come
 * first. (That holds for libraries linked with -Bsymbolic-functions, too, which binds only a library's calls to itself.)
 * These functions read as the original ones do, and show what was read to the guard of the connection.
 */
#include "registry/http/server-guard.h"

#include <dlfcn.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "registry/http/request-private.h"
#include "registry/http/tls.h"
#include "registry/spec/error-code.h"

#define CONTENT_TYPE "application/json; charset=utf-8"

enum {
    /* What the client has sent is read so far: closing a socket with unread bytes would take the answer back. */
    DISCARDED_MAX = 64 << 10,
    DESCRIPTORS_MAX = 1 << 20,
};

typedef ssize_t recv_function(int fd, void *data, size_t size, int flags);
typedef ssize_t record_recv_function(gnutls_session_t session, void *data, size_t size);

static recv_function *real_recv;
static record_recv_function *real_record_recv;

/* By descriptor. Each entry is written and read by the event thread of its connection. */
static struct guard **guards;
static size_t guard_count;

static int find_function(const char *name, void *ret_function, size_t size, struct error *err)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    if (!symbol)
        return error_set(err, ENOSYS, "cannot find the function %s: %s", name, dlerror());
    memcpy(ret_function, &symbol, size);
    return 0;
}

int guard_start(struct error *err)
{
    struct rlimit limit;
    int r = 0;

    if (guards)
        return 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > DESCRIPTORS_MAX)
        limit.rlim_cur = DESCRIPTORS_MAX;
    if (!real_recv)
        r = find_function("recv", &real_recv, sizeof(real_recv), err);
    if (r == 0)
        r = find_function("gnutls_record_recv", &real_record_recv, sizeof(real_record_recv), err);
    if (r < 0)
        return r;
    guards = calloc(limit.rlim_cur, sizeof(*guards)); /* pages that are not used cost nothing */
    if (!guards)
        return error_set_oom(err);
    guard_count = limit.rlim_cur;
    return 0;
}

static struct guard *find_guard(int fd)
{
    return fd >= 0 && (size_t)fd < guard_count ? __atomic_load_n(&guards[fd], __ATOMIC_RELAXED) : NULL;
}

bool guard_add(struct guard *guard)
{
    if (guard->fd < 0 || (size_t)guard->fd >= guard_count)
        return false;
    __atomic_store_n(&guards[guard->fd], guard, __ATOMIC_RELAXED);
    return true;
}

void guard_remove(struct guard *guard)
{
    if (find_guard(guard->fd) == guard)
        __atomic_store_n(&guards[guard->fd], NULL, __ATOMIC_RELAXED);
    framing_done(&guard->framing);
}

/* --- the answer ----------------------------------------------------------------------- */

static void write_date(FILE *stream)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[64];

    /* The program keeps to the C locale, whose names of days are those of HTTP. */
    if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
        fprintf(stream, "Date: %s\r\n", text);
}

/* All of it as it goes over the wire; owned by the caller, free with free(). NULL if memory is out. */
static char *format_answer(const struct server_options *options, const struct framing *framing, size_t *ret_size,
                           size_t *ret_body_size)
{
    const struct framing_flaw *flaw = framing->flaw;
    enum error_code code = flaw->status == 413 ? ERROR_CODE_SIZE_INVALID : ERROR_CODE_UNSUPPORTED;
    CLEANUP_FREE char *body = error_code_format_message(code, flaw->message, NULL, ret_body_size);
    char *answer = NULL;
    FILE *stream = body ? open_memstream(&answer, ret_size) : NULL;
    bool is_written;

    if (!stream)
        return NULL;
    fprintf(stream, "HTTP/1.1 %u %s\r\n", flaw->status, MHD_get_reason_phrase_for(flaw->status));
    write_date(stream);
    fprintf(stream, "Connection: close\r\nContent-Type: " CONTENT_TYPE "\r\nContent-Length: %zu\r\n"
            "Docker-Distribution-Api-Version: registry/2.0\r\n", *ret_body_size);
    for (size_t i = 0; i < options->header_count; i++)
        fprintf(stream, "%s: %s\r\n", options->headers[i].name, options->headers[i].value);
    fprintf(stream, "\r\n%s", framing->is_head_method ? "" : body);
    is_written = !ferror(stream);
    if (fclose(stream) == 0 && is_written)
        return answer;
    free(answer);
    return NULL;
}

/* What does not fit into the socket's buffer, which is empty as a rule, is lost; the client sees the answer cut off. */
static void send_plain(int fd, const char *answer, size_t size)
{
    char ignored[4096];
    ssize_t n = 1;

    for (size_t taken = 0; n > 0 && taken < DISCARDED_MAX; taken += (size_t)n)
        n = real_recv(fd, ignored, sizeof(ignored), MSG_DONTWAIT);
    (void)send(fd, answer, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void send_last(const struct guard *guard, const char *answer, size_t size)
{
    if (answer && guard->is_tls)
        tls_say_last(server_get_session(guard->connection), DISCARDED_MAX, answer, size);
    else if (answer)
        send_plain(guard->fd, answer, size);
    shutdown(guard->fd, SHUT_WR);
}

/* A request that has reached a handler of ours is reported when it is over, any other one here. */
static void report(const struct guard *guard, struct exchange *exchange, uint64_t sent)
{
    struct exchange stranger = {.server = guard->server, .connection = guard->connection};
    bool is_known = exchange && exchange->server;
    struct exchange *told = is_known ? exchange : &stranger;

    told->status = guard->framing.flaw->status;
    told->sent = sent;
    snprintf(told->content_type, sizeof(told->content_type), "%s", CONTENT_TYPE);
    if (is_known)
        return;
    clock_gettime(CLOCK_MONOTONIC, &stranger.begin);
    stranger.request.uri = guard->framing.target;
    if (exchange) {
        stranger.begin = exchange->begin;
        stranger.request.uri = exchange->uri;
    }
    server_describe_client(&stranger);
    server_report(&stranger);
}

static void refuse(struct guard *guard)
{
    struct exchange *exchange = server_find_exchange(guard->connection);
    size_t size = 0, body_size = 0;
    CLEANUP_FREE char *answer = NULL;

    guard->is_over = true;
    if (exchange && exchange->is_answered) /* an answer is on its way; the connection ends behind it */
        return;
    answer = format_answer(&guard->server->options, &guard->framing, &size, &body_size);
    send_last(guard, answer, size);
    report(guard, exchange, guard->framing.is_head_method ? 0 : body_size);
}

/* --- reading ---------------------------------------------------------------------------- */

/* Reads like recv() or gnutls_record_recv(), whichever belongs to the connection. */
static ssize_t read_real(struct guard *guard, gnutls_session_t session, char *data, size_t size)
{
    return guard->is_tls ? real_record_recv(session, data, size) : real_recv(guard->fd, data, size, 0);
}

static ssize_t end_connection(const struct guard *guard)
{
    errno = ECONNRESET;
    return guard->is_tls ? GNUTLS_E_PREMATURE_TERMINATION : -1;
}

/*
 * The bytes before a flawed request are passed on first, and answered. libmicrohttpd takes a short piece for the last
 * one there is, and asks again when the socket has news; that the client is not listened to any more is such.
 */
static ssize_t pass_on(const struct guard *guard, size_t size)
{
    if (guard->framing.flaw && !guard->is_tls)
        shutdown(guard->fd, SHUT_RD);
    return (ssize_t)size;
}

static ssize_t read_guarded(struct guard *guard, gnutls_session_t session, char *data, size_t size)
{
    struct framing *framing = &guard->framing;
    size_t have = 0;

    while (!guard->is_over && framing->state != FRAMING_REFUSED && have < size) {
        size_t wanted = size - have;
        ssize_t n = read_real(guard, session, data + have, wanted);

        if (n <= 0 && have == 0 && !(n == 0 && framing->flaw))
            return n;
        if (n <= 0)
            break;
        have += framing_take(framing, data + have, (size_t)n);
        /* Read on if nothing is left of the piece, or there may be more behind a shortened one. */
        if (have > 0 && (framing->flaw || (size_t)n < wanted))
            break;
    }
    if (have > 0)
        return pass_on(guard, have);
    if (!guard->is_over)
        refuse(guard);
    return end_connection(guard);
}

__attribute__((visibility("default"))) ssize_t recv(int fd, void *data, size_t size, int flags)
{
    struct guard *guard = flags == 0 ? find_guard(fd) : NULL;
    struct error err;

    if (!real_recv && find_function("recv", &real_recv, sizeof(real_recv), &err) < 0) {
        errno = ENOSYS;
        return -1;
    }
    return guard && !guard->is_tls ? read_guarded(guard, NULL, data, size) : real_recv(fd, data, size, flags);
}

__attribute__((visibility("default"))) ssize_t gnutls_record_recv(gnutls_session_t session, void *data, size_t size)
{
    struct guard *guard = find_guard(tls_get_fd(session));

    return guard ? read_guarded(guard, session, data, size) : real_record_recv(session, data, size);
}
