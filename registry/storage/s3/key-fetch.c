#include "registry/storage/s3/key-fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/storage/s3/identity-answer.h"
#include "registry/storage/s3/key-answer.h"
#include "registry/storage/s3/key-file.h"

enum {
    NEAR_CONNECT_MS = 1000, /* also what a machine waits that has no such endpoint */
    FAR_CONNECT_MS = 5000,
    READ_SIZE = 4096,
    ROLE_MAX = 256,
    HEADERS_MAX = 3,
};

#define ROLES "/latest/meta-data/iam/security-credentials/"
#define TOKEN_HEADER "x-aws-ec2-metadata-token"
#define TOKEN_LIFETIME TOKEN_HEADER "-ttl-seconds: 21600" /* six hours, the longest */

/* One request and its answer. */
struct question {
    const char *method, *url;
    const char *headers[HEADERS_MAX + 1];
    const struct secbuf *body; /* NULL: none */
    int status;
    struct secbuf answer;
};

/* --- requests -------------------------------------------------------------------------------- */

static int read_answer(struct exchange *exchange, struct secbuf *ret, struct error *err)
{
    ssize_t n;

    do {
        if (secbuf_reserve(ret, READ_SIZE) < 0)
            return error_set_oom(err);
        n = exchange_read(exchange, ret->data + ret->size, ret->capacity - ret->size);
        if (n < 0)
            return error_set_errno(err, (int)-n, "the answer ends early");
        ret->size += (size_t)n;
    } while (n > 0 && ret->size <= KEY_FETCH_SIZE);
    return n == 0 ? 0 : error_set(err, EFBIG, "the answer is larger than %d bytes", KEY_FETCH_SIZE);
}

static int ask(struct transport *transport, struct question *question, struct error *err)
{
    CLEANUP(exchange_closep) struct exchange *exchange = NULL;
    const struct transport_request request = {
        .method = question->method,
        .url = question->url,
        .headers = question->headers,
        .body = question->body ? question->body->data : NULL,
        .body_size = question->body ? question->body->size : 0,
        .total_ms = KEY_FETCH_MS,
        .is_secret = true,
    };

    secbuf_truncate(&question->answer, 0);
    if (exchange_start(transport, &request, &exchange) < 0)
        return error_set_oom(err);
    return exchange_wait(exchange, &question->status, err) < 0
               ? -err->code
               : read_answer(exchange, &question->answer, err);
}

/* The same; another status than 200 is an error, too. */
static int ask_well(struct transport *transport, struct question *question, struct error *err)
{
    int r = ask(transport, question, err);

    return r < 0 || question->status == 200
               ? r
               : error_set(err, EIO, "it answered with the status %d", question->status);
}

static struct piece piece_of(const struct secbuf *text)
{
    return piece_trim(piece_of_secret(text));
}

/* Appends "name: value" and a NUL. An invalid value would end the header. */
static int make_header(const char *name, struct piece value, struct secbuf *ret, struct error *err)
{
    for (size_t i = 0; i < value.size; i++)
        if ((unsigned char)value.text[i] < ' ' || value.text[i] == 127)
            return error_set(err, EINVAL, "the value of the header %s is invalid", name);
    return secbuf_append(ret, name, strlen(name)) < 0 || secbuf_append(ret, ": ", 2) < 0 ||
                   secbuf_append(ret, value.text, value.size) < 0 || secbuf_append(ret, "", 1) < 0
               ? error_set_oom(err)
               : 0;
}

/* --- the container --------------------------------------------------------------------------- */

/* Appends the token of a file, which others replace from time to time. */
static int read_token(const struct key_endpoint *endpoint, struct secbuf *ret, struct error *err)
{
    int r = key_file_read(endpoint->token_file, KEY_FETCH_SIZE, ret, err);

    return r == -ENOENT ? error_set(err, ENOENT, "there is no file %s", endpoint->token_file) : r;
}

static int fetch_from_container(const struct key_endpoint *endpoint, struct transport *transport,
                                struct question *question, struct keys **ret, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf token = {0}, header = {0};
    size_t count = 0;
    int r = endpoint->token_file
                ? read_token(endpoint, &token, err)
                : secbuf_append(&token, endpoint->token.data, endpoint->token.size);

    if (r == 0 && token.size > 0)
        r = make_header("authorization", piece_of(&token), &header, err);
    if (r < 0)
        return r;
    question->method = "GET";
    question->url = endpoint->url;
    if (endpoint->header)
        question->headers[count++] = endpoint->header;
    if (header.size > 0)
        question->headers[count++] = (const char *)header.data;
    question->headers[count] = NULL;
    r = ask_well(transport, question, err);
    question->headers[0] = NULL;
    return r < 0 ? r : key_answer_parse(piece_of(&question->answer), endpoint->origin, ret, err);
}

/* --- the instance ---------------------------------------------------------------------------- */

/* What an endpoint without tokens answers; a firewall may also drop the request. */
static bool has_no_tokens(int r, const struct question *question)
{
    return r < 0 || question->status == 403 || question->status == 404 || question->status == 405;
}

/* Makes the header that the requests need; "" for the old form without. */
static int get_session(const struct key_endpoint *endpoint, struct transport *transport,
                       struct question *question, struct secbuf *ret_header, struct error *err)
{
    CLEANUP_FREE char *url = NULL;
    int r;

    if (asprintf(&url, "%s/latest/api/token", endpoint->url) < 0) {
        url = NULL;
        return error_set_oom(err);
    }
    question->method = "PUT";
    question->url = url;
    question->headers[0] = TOKEN_LIFETIME;
    question->headers[1] = NULL;
    r = ask(transport, question, err);
    question->headers[0] = NULL;
    if (endpoint->has_old_form && has_no_tokens(r, question))
        return 0;
    if (r == 0 && question->status != 200)
        r = error_set(err, EIO, "it refused a token with the status %d", question->status);
    return r < 0 ? r : make_header(TOKEN_HEADER, piece_of(&question->answer), ret_header, err);
}

static int get(const struct key_endpoint *endpoint, const char *role, struct transport *transport,
               struct question *question, struct error *err)
{
    CLEANUP_FREE char *url = NULL;

    if (asprintf(&url, "%s" ROLES "%s", endpoint->url, role) < 0) {
        url = NULL;
        return error_set_oom(err);
    }
    question->method = "GET";
    question->url = url;
    return ask_well(transport, question, err);
}

/* The first line: an instance has one role. It becomes a part of a URL. */
static int take_role(const struct secbuf *answer, char ret[ROLE_MAX + 1], struct error *err)
{
    struct piece text = piece_of(answer);
    size_t size = 0;

    while (size < text.size && size <= ROLE_MAX && text.text[size] != '\n' &&
           text.text[size] != '\r')
        size++;
    if (size == 0 || size > ROLE_MAX)
        return error_set(err, EBADMSG, "it names no role");
    for (size_t i = 0; i < size; i++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-",
                    text.text[i]) ||
            !text.text[i])
            return error_set(err, EBADMSG, "it names an invalid role");
    memcpy(ret, text.text, size);
    ret[size] = '\0';
    return 0;
}

static int fetch_from_instance(const struct key_endpoint *endpoint, struct transport *transport,
                               struct question *question, struct keys **ret, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf header = {0};
    char role[ROLE_MAX + 1];
    int r = get_session(endpoint, transport, question, &header, err);

    if (r < 0)
        return r;
    question->headers[0] = header.size > 0 ? (const char *)header.data : NULL;
    question->headers[1] = NULL;
    r = get(endpoint, "", transport, question, err);
    if (r == 0)
        r = take_role(&question->answer, role, err);
    if (r == 0)
        r = get(endpoint, role, transport, question, err);
    question->headers[0] = NULL;
    return r < 0 ? r : key_answer_parse(piece_of(&question->answer), endpoint->origin, ret, err);
}

/* --- a token for keys ------------------------------------------------------------------------ */

static int fetch_for_identity(const struct key_endpoint *endpoint, struct transport *transport,
                              struct question *question, struct keys **ret, struct error *err)
{
    CLEANUP(secbuf_done) struct secbuf token = {0}, form = {0};
    int r = read_token(endpoint, &token, err);

    if (r == 0)
        r = identity_format_form(endpoint, piece_of(&token), &form) < 0 ? error_set_oom(err) : 0;
    if (r < 0)
        return r;
    question->method = "POST";
    question->url = endpoint->url;
    question->headers[0] = "content-type: application/x-www-form-urlencoded";
    question->headers[1] = NULL;
    question->body = &form;
    r = ask_well(transport, question, err);
    question->body = NULL;
    return r < 0 ? r : identity_parse(piece_of(&question->answer), endpoint->origin, ret, err);
}

/* --- for callers ----------------------------------------------------------------------------- */

typedef int fetch_function(const struct key_endpoint *endpoint, struct transport *transport,
                           struct question *question, struct keys **ret, struct error *err);

int key_fetch_open(const struct key_endpoint *endpoint, struct transport **ret, struct error *err)
{
    const struct transport_options options = {
        .connections = 1,
        .connect_ms = endpoint->is_encrypted ? FAR_CONNECT_MS : NEAR_CONNECT_MS,
        .idle_s = KEY_FETCH_MS / 1000,
        .is_secret = true,
    };

    return transport_new(&options, ret, err);
}

int key_fetch(const struct key_endpoint *endpoint, struct transport *transport, struct keys **ret,
              struct error *err)
{
    static fetch_function *const functions[] = {
        [KEY_ENDPOINT_IDENTITY] = fetch_for_identity,
        [KEY_ENDPOINT_CONTAINER] = fetch_from_container,
        [KEY_ENDPOINT_INSTANCE] = fetch_from_instance,
    };
    struct question question = {0};
    int r = functions[endpoint->kind](endpoint, transport, &question, ret, err);

    secbuf_done(&question.answer);
    return r < 0 ? error_wrap(err, "cannot get keys from %s", endpoint->origin) : 0;
}
