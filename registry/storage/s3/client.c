/*
 * One request is tried until it has an answer that another try would not change, or its deadline
 * has passed. Between the tries lies a random time, so that servers that failed together do not
 * come back together.
 */
#include "registry/storage/s3/client.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/monotonic.h"
#include "common/random.h"
#include "registry/storage/s3/http-date.h"
#include "registry/storage/s3/prepared.h"
#include "registry/storage/s3/xml.h"

enum {
    FIRST_PAUSE_MS = 50,
    LONGEST_PAUSE_MS = 5000,
    ERROR_BODY_MAX = 64 << 10, /* of an answer that is an error */
    CLOCK_WINDOW_MS = 5 * 60 * 1000,
};

struct s3_client {
    struct s3_place place; /* of the text below */
    char *bucket, *region, *host, *base;
    unsigned deadline_ms;
    struct keyring *keyring;
    struct transport *transport;
    pthread_mutex_t mutex; /* protects the rest */
    int64_t offsets_s[2];  /* the store's clock minus boottime_ms(), in this and the last window */
    int64_t window_end_ms;
};

/* --- the store's clock ----------------------------------------------------------------------- */

static int64_t boot_s(void)
{
    return (int64_t)(boottime_ms() / 1000);
}

int64_t s3_client_now(struct s3_client *client)
{
    int64_t offset_s;

    pthread_mutex_lock(&client->mutex);
    offset_s = client->offsets_s[0] > client->offsets_s[1] ? client->offsets_s[0]
                                                           : client->offsets_s[1];
    pthread_mutex_unlock(&client->mutex);
    return boot_s() + offset_s;
}

/*
 * An answer that was long under way has an old date, so the largest difference of the last minutes
 * is the best one. It is too large by less than a second, because the date was written before the
 * answer came.
 */
static void learn_offset(struct s3_client *client, int64_t offset_s)
{
    int64_t now_ms = (int64_t)boottime_ms();

    pthread_mutex_lock(&client->mutex);
    if (now_ms >= client->window_end_ms) {
        client->offsets_s[1] = client->window_end_ms ? client->offsets_s[0] : offset_s;
        client->offsets_s[0] = offset_s;
        client->window_end_ms = now_ms + CLOCK_WINDOW_MS;
    }
    if (offset_s > client->offsets_s[0])
        client->offsets_s[0] = offset_s;
    pthread_mutex_unlock(&client->mutex);
}

static void learn_time(struct s3_client *client, const struct exchange *exchange)
{
    const char *date = exchange_get_header(exchange, "date");
    int64_t seconds;

    if (date && http_date_parse(date, &seconds) == 0)
        learn_offset(client, seconds - boot_s());
}

/* --- making and freeing ---------------------------------------------------------------------- */

static int set_address(struct s3_client *client, const struct s3_client_options *options,
                       struct error *err)
{
    const char *host = strstr(options->endpoint, "://");
    int r;

    if (!host)
        return error_set(err, EINVAL,
                         "%s: the endpoint of a bucket must begin with http:// or https://",
                         options->endpoint);
    host += strlen("://");
    r = asprintf(&client->host, "%s%s%s", options->has_bucket_in_host ? options->bucket : "",
                 options->has_bucket_in_host ? "." : "", host);
    if (r >= 0)
        r = asprintf(&client->base, "%.*s%s", (int)(host - options->endpoint), options->endpoint,
                     client->host);
    if (r < 0)
        return error_set_oom(err);
    client->place = (struct s3_place){.base = client->base,
                                      .host = client->host,
                                      .bucket = client->bucket,
                                      .region = client->region,
                                      .has_bucket_in_host = options->has_bucket_in_host};
    return 0;
}

int s3_client_new(const struct s3_client_options *options, struct keyring *keyring,
                  struct s3_client **ret, struct error *err)
{
    struct s3_client *client = calloc(1, sizeof(*client));
    int r;

    if (!client)
        return error_set_oom(err);
    pthread_mutex_init(&client->mutex, NULL);
    client->offsets_s[0] = client->offsets_s[1] = (int64_t)time(NULL) - boot_s();
    client->deadline_ms = options->deadline_ms;
    client->keyring = keyring;
    client->bucket = strdup(options->bucket);
    client->region = strdup(options->region);
    r = client->bucket && client->region ? 0 : error_set_oom(err);
    if (r == 0)
        r = set_address(client, options, err);
    if (r == 0)
        r = xml_load(err);
    if (r == 0)
        r = transport_new(&options->transport, &client->transport, err);
    if (r < 0) {
        s3_client_free(client);
        return r;
    }
    *ret = client;
    return 0;
}

void s3_client_free(struct s3_client *client)
{
    if (!client)
        return;
    transport_free(client->transport);
    pthread_mutex_destroy(&client->mutex);
    free(client->bucket);
    free(client->region);
    free(client->host);
    free(client->base);
    free(client);
}

const char *s3_client_get_bucket(const struct s3_client *client)
{
    return client->bucket;
}

/* --- one try --------------------------------------------------------------------------------- */

/* Answers to HEAD, and these, have a length but no body. */
static bool has_body(const struct s3_request *request, const struct s3_answer *answer)
{
    return strcmp(request->method, "HEAD") != 0 && answer->status != 204 && answer->status != 304;
}

/* Keeps the body of the answer. 0 or negative. */
static int keep_body(struct s3_answer *answer, size_t limit, struct error *err)
{
    const char *length = exchange_get_header(answer->exchange, "content-length");
    size_t capacity = length ? strtoull(length, NULL, 10) : limit;
    ssize_t n = 1;

    if (length && capacity > limit)
        return error_set(err, EFBIG, "the answer has %zu bytes, which is more than %zu", capacity,
                         limit);
    answer->bytes = malloc(capacity + 1);
    if (!answer->bytes)
        return error_set_oom(err);
    while (n > 0 && answer->size < capacity) {
        n = exchange_read(answer->exchange, answer->bytes + answer->size, capacity - answer->size);
        answer->size += n > 0 ? (size_t)n : 0;
    }
    if (n > 0) { /* up to here everything is there; is that the end? */
        char more;

        n = exchange_read(answer->exchange, &more, 1);
        if (n > 0)
            return error_set(err, EFBIG, "the answer has more than %zu bytes", limit);
    }
    answer->bytes[answer->size] = '\0';
    return n < 0 ? error_set_errno(err, (int)-n, "the answer ends early") : 0;
}

static bool is_success(int status)
{
    return status >= 200 && status < 300;
}

static int note_code(void *object, const char *path, const char *text)
{
    struct s3_answer *answer = object;

    if (strcmp(path, "Error/Code") == 0)
        snprintf(answer->code, sizeof(answer->code), "%s", text);
    return 0;
}

/* An error has its code in the body; so has a 200 that turned into an error after its head was
 * sent. */
static void find_code(struct s3_answer *answer)
{
    const char *start = answer->bytes ? memchr(answer->bytes, '<', answer->size) : NULL;
    struct error ignored;

    if (start && xml_parse(start, answer->size - (size_t)(start - answer->bytes), note_code, answer,
                           &ignored) < 0)
        *answer->code = '\0'; /* the status has to do */
}

/* Sends it once. 0 with an answer of whatever status, or negative. */
static int try_once(struct s3_client *client, const struct s3_request *request,
                    struct prepared *prepared, unsigned rest_ms, struct s3_answer *answer,
                    struct error *err)
{
    /* A signature is good for 15 minutes, so each try has its own. */
    int r = prepared_sign(&client->place, request, keyring_get(client->keyring),
                          (time_t)(request->signed_s ? request->signed_s : s3_client_now(client)),
                          prepared);

    if (r == 0)
        r = exchange_start(client->transport,
                           &(struct transport_request){
                               .method = request->method,
                               .url = prepared->url,
                               .headers = (const char *const *)prepared->headers,
                               .body = request->body,
                               .body_size = request->body_size,
                               .total_ms = request->is_stream ? 0 : rest_ms,
                           },
                           &answer->exchange);
    if (r < 0)
        return error_set_errno(err, -r, "cannot make the request");
    r = exchange_wait(answer->exchange, &answer->status, err);
    if (r < 0)
        return r;
    learn_time(client, answer->exchange);
    if (!has_body(request, answer))
        return 0;
    if (is_success(answer->status))
        r = request->is_stream ? 0 : keep_body(answer, request->limit, err);
    else
        r = keep_body(answer, ERROR_BODY_MAX, err);
    if (r == 0 && (!is_success(answer->status) || strcmp(request->method, "GET") != 0))
        find_code(answer);
    return r;
}

/* --- all tries ------------------------------------------------------------------------------- */

static bool is_passing_failure(int r)
{
    return r == -ETIMEDOUT || r == -ECONNREFUSED || r == -ECONNRESET || r == -EHOSTUNREACH;
}

static bool is_passing_status(const struct s3_answer *answer)
{
    static const int statuses[] = {408, 429, 500, 502, 503, 504};
    static const char *const codes[] = {"SlowDown", "InternalError", "RequestTimeout",
                                        "RequestTimeTooSkewed", "ConditionalRequestConflict"};

    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
        if (answer->status == statuses[i])
            return true;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (strcmp(answer->code, codes[i]) == 0)
            return true;
    return false;
}

static bool is_expected(const struct s3_answer *answer)
{
    static const int statuses[] = {304, 404, 409, 412, 416};

    if (is_success(answer->status))
        return !*answer->code;
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
        if (answer->status == statuses[i])
            return true;
    return false;
}

/* A random time of up to 50 ms, 100 ms and so on. */
static unsigned choose_pause(unsigned tries)
{
    unsigned most = tries < 7 ? FIRST_PAUSE_MS << tries : LONGEST_PAUSE_MS, random;

    random_bytes(&random, sizeof(random));
    return random % ((most < LONGEST_PAUSE_MS ? most : LONGEST_PAUSE_MS) + 1);
}

/* Whether to try again, after a pause. */
static bool may_try_again(int64_t end_ms, unsigned tries)
{
    unsigned pause_ms = choose_pause(tries);

    if (monotonic_ms() + pause_ms >= end_ms)
        return false;
    usleep(pause_ms * 1000);
    return true;
}

static int call(struct s3_client *client, const struct s3_request *request,
                struct prepared *prepared, struct s3_answer *answer, struct error *err)
{
    int64_t end_ms =
        monotonic_ms() + (request->deadline_ms ? request->deadline_ms : client->deadline_ms);

    for (unsigned tries = 0;; tries++) {
        int64_t rest_ms = end_ms - monotonic_ms();
        int r =
            try_once(client, request, prepared, rest_ms > 1 ? (unsigned)rest_ms : 1, answer, err);
        bool is_passing = r < 0 ? is_passing_failure(r) : is_passing_status(answer);

        if (!is_passing)
            return r == 0 && !is_expected(answer) ? s3_answer_fail(answer, request, err) : r;
        if (!may_try_again(end_ms, tries)) {
            if (r == 0)
                (void)s3_answer_fail(answer, request, err);
            err->code = EHOSTDOWN;
            return -EHOSTDOWN;
        }
        s3_answer_done(answer);
    }
}

int s3_call(struct s3_client *client, const struct s3_request *request, struct s3_answer *ret,
            struct error *err)
{
    CLEANUP(prepared_done) struct prepared prepared;
    struct s3_answer answer = {0};
    struct error unused;
    int r = prepared_init(&client->place, request, &prepared);

    if (!err)
        err = &unused;
    if (r < 0)
        return error_set_errno(err, -r, "cannot make a request to the bucket");
    r = call(client, request, &prepared, &answer, err);
    if (r < 0) {
        s3_answer_done(&answer);
        return error_wrap(err, "%s %s%s%s", request->method, client->bucket,
                          *request->key ? "/" : "", request->key);
    }
    *ret = answer;
    return 0;
}

/* --- answers --------------------------------------------------------------------------------- */

const char *s3_answer_get_header(const struct s3_answer *answer, const char *name)
{
    return exchange_get_header(answer->exchange, name);
}

int s3_answer_get_size(const struct s3_answer *answer, const char *name, uint64_t *ret)
{
    const char *text = s3_answer_get_header(answer, name);
    char *end;

    if (!text || *text < '0' || *text > '9')
        return -EBADMSG;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno || *end ? -EBADMSG : 0;
}

ssize_t s3_answer_read(struct s3_answer *answer, void *ret_data, size_t size)
{
    return exchange_read(answer->exchange, ret_data, size);
}

ssize_t s3_answer_try(struct s3_answer *answer, void *ret_data, size_t size)
{
    return exchange_try(answer->exchange, ret_data, size);
}

void s3_answer_await(struct s3_answer *answer)
{
    exchange_await(answer->exchange);
}

int s3_answer_fail(const struct s3_answer *answer, const struct s3_request *request,
                   struct error *err)
{
    bool is_refused = answer->status == 401 || answer->status == 403;

    (void)request;
    return error_set(err, is_refused ? EACCES : EIO, "the store answered %d%s%s", answer->status,
                     *answer->code ? " " : "", answer->code);
}

void s3_answer_done(struct s3_answer *answer)
{
    exchange_close(answer->exchange);
    free(answer->bytes);
    *answer = (struct s3_answer){0};
}
