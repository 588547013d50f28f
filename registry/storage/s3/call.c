/*
 * One request is tried until it has an answer that another try would not change, or its deadline
 * has passed. Between the tries lies a random time, so that servers that failed together do not
 * come back together.
 */
#include "registry/storage/s3/client-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/condition.h"
#include "common/monotonic.h"
#include "common/random.h"
#include "registry/storage/s3/http-date.h"
#include "registry/storage/s3/xml.h"

enum {
    FIRST_PAUSE_MS = 50,
    LONGEST_PAUSE_MS = 5000,
    ERROR_BODY_MAX = 64 << 10, /* of an answer that is an error */
    PROBE_MS = 5000,          /* for a request that finds out whether the store answers again */
    PROBE_BODY_MAX = 64 << 10 /* of such a request, so that it is quick */
};

static void learn_time(struct s3_client *client, const struct exchange *exchange)
{
    const char *date = exchange_get_header(exchange, "date");
    int64_t seconds;

    if (date && http_date_parse(date, &seconds) == 0)
        store_clock_learn(&client->clock, seconds);
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

/* Begins the exchange. 0 or -errno. */
static int send_once(struct s3_client *client, const struct s3_request *request,
                     const struct keys *keys, struct prepared *prepared, unsigned rest_ms,
                     struct exchange **ret)
{
    /* A signature is good for 15 minutes, so each try has its own. */
    int r = prepared_sign(&client->place, request, &keys->parts,
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
                           ret);
    return r;
}

/* Waits for the answer, of whatever status. 0 or negative. */
static int await_answer(struct s3_client *client, const struct s3_request *request,
                        struct s3_answer *answer, struct error *err)
{
    int r = exchange_wait(answer->exchange, &answer->status, err);

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

/*
 * 409 is the answer to one of several requests that change the same object at the same time. It says
 * nothing about the condition of the request; the next try finds out whether that holds.
 */
static bool is_passing_status(const struct s3_answer *answer)
{
    static const int statuses[] = {408, 409, 429, 500, 502, 503, 504};
    static const char *const codes[] = {"SlowDown", "InternalError", "RequestTimeout",
                                        "RequestTimeTooSkewed"};

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
    static const int statuses[] = {304, 404, 412, 416};

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

/* Waits until that moment. Returns false as soon as requests have ended. */
static bool wait_until(struct s3_client *client, int64_t moment_ms)
{
    bool has_ended;

    pthread_mutex_lock(&client->mutex);
    for (int64_t now_ms; (now_ms = monotonic_ms()) < moment_ms && now_ms < client->end_ms;) {
        int64_t next_ms = moment_ms < client->end_ms ? moment_ms : client->end_ms;
        struct timespec next = condition_deadline(next_ms - now_ms);

        pthread_cond_timedwait(&client->changed, &client->mutex, &next);
    }
    has_ended = monotonic_ms() >= client->end_ms;
    pthread_mutex_unlock(&client->mutex);
    return !has_ended;
}

/* Whether to try again, after a pause. */
static bool may_try_again(struct s3_client *client, int64_t end_ms, unsigned tries)
{
    int64_t moment_ms = monotonic_ms() + choose_pause(tries);

    return moment_ms < end_ms && wait_until(client, moment_ms);
}

/* Any request may, unless it takes long because it is large. */
static bool may_probe(const struct s3_request *request)
{
    return !request->is_stream && request->body_size <= PROBE_BODY_MAX;
}

/* A store that answers 409 or 403 is up, even if another try may get another answer. */
static enum breaker_result judge(int r, const struct s3_answer *answer)
{
    if (r < 0 && !is_passing_failure(r))
        return answer->status ? BREAKER_ANSWERED : BREAKER_NOTHING;
    return r < 0 || answer->status >= 500 || answer->status == 408 || answer->status == 429
               ? BREAKER_FAILED
               : BREAKER_ANSWERED;
}

static void note_result(struct s3_client *client, enum breaker_turn turn, int r, int64_t began_ms,
                        const struct s3_answer *answer, const struct error *err)
{
    breaker_note(client->breaker, turn, judge(r, answer), r < 0 ? err->text : NULL, began_ms,
                 monotonic_ms());
}

/* Sends it once, unless the store is known to be down. */
static int try_if_up(struct s3_client *client, const struct s3_request *request,
                     const struct keys *keys, struct prepared *prepared, int64_t end_ms,
                     struct s3_answer *answer, struct error *err)
{
    int64_t began_ms = monotonic_ms(), rest_ms = end_ms > began_ms ? end_ms - began_ms : 1;
    enum breaker_turn turn = breaker_ask(client->breaker, may_probe(request), began_ms);
    int r;

    if (turn == BREAKER_REFUSED)
        return breaker_fail(client->breaker, err);
    if (turn == BREAKER_PROBES && rest_ms > PROBE_MS)
        rest_ms = PROBE_MS;
    r = send_once(client, request, keys, prepared, (unsigned)rest_ms, &answer->exchange);
    r = r < 0 ? error_set_errno(err, -r, "cannot make the request")
              : await_answer(client, request, answer, err);
    note_result(client, turn, r, began_ms, answer, err);
    return r;
}

/* The answer to the request that was sent before. */
static int take_early(struct s3_client *client, const struct s3_request *request,
                      struct s3_early *early, struct s3_answer *answer, struct error *err)
{
    int r;

    answer->exchange = steal_ptr(&early->exchange);
    r = await_answer(client, request, answer, err);
    note_result(client, BREAKER_PASSED, r, early->sent_ms, answer, err);
    return r;
}

/* Answers to HEAD have no code. */
static bool are_keys_expired(const struct s3_request *request, const struct s3_answer *answer)
{
    return strcmp(answer->code, S3_EXPIRED_TOKEN) == 0 ||
           (answer->status == 400 && strcmp(request->method, "HEAD") == 0);
}

/* Tries until the answer is one that another try would not change. */
static int call_with_keys(struct s3_client *client, const struct s3_request *request,
                          const struct keys *keys, struct prepared *prepared, int64_t end_ms,
                          struct s3_early *early, struct s3_answer *answer, struct error *err)
{
    for (unsigned tries = 0;; tries++) {
        int r = early->exchange ? take_early(client, request, early, answer, err)
                                : try_if_up(client, request, keys, prepared, end_ms, answer, err);

        if (!(r < 0 ? is_passing_failure(r) : is_passing_status(answer)))
            return r;
        if (!may_try_again(client, end_ms, tries)) {
            if (r == 0)
                (void)s3_answer_fail(answer, request, err);
            err->code = EHOSTDOWN;
            return -EHOSTDOWN;
        }
        s3_answer_done(answer);
        __atomic_add_fetch(&client->retries, 1, __ATOMIC_RELAXED);
    }
}

static int call(struct s3_client *client, const struct s3_request *request,
                struct prepared *prepared, struct s3_early *early, struct s3_answer *answer,
                struct error *err)
{
    int64_t end_ms =
        monotonic_ms() + (request->deadline_ms ? request->deadline_ms : client->deadline_ms);
    struct keys *keys;
    int r = keyring_get(client->keyring, &keys, err);

    if (r < 0)
        return r;
    r = call_with_keys(client, request, keys, prepared, end_ms, early, answer, err);
    if (r == 0 && are_keys_expired(request, answer) &&
        (r = keyring_renew(client->keyring, keys, err)) == 0) {
        s3_answer_done(answer);
        keyring_put(keys);
        r = keyring_get(client->keyring, &keys, err);
        if (r < 0)
            return r;
        r = call_with_keys(client, request, keys, prepared, end_ms, early, answer, err);
    }
    keyring_put(keys);
    return r >= 0 && !is_expected(answer) ? s3_answer_fail(answer, request, err) : r < 0 ? r : 0;
}

int s3_early_take(struct s3_client *client, const struct s3_request *request,
                  struct s3_early *early, struct s3_answer *ret, struct error *err)
{
    CLEANUP(prepared_done) struct prepared prepared;
    struct s3_answer answer = {0};
    struct error unused;
    int r = prepared_init(&client->place, request, &prepared);

    if (!err)
        err = &unused;
    if (r < 0) {
        s3_early_drop(client, early);
        return error_set_errno(err, -r, "cannot make a request to the bucket");
    }
    r = call(client, request, &prepared, early, &answer, err);
    s3_early_drop(client, early); /* if there were no keys any more */
    if (r < 0) {
        s3_answer_done(&answer);
        return error_wrap(err, "%s %s%s%s", request->method, client->bucket,
                          *request->key ? "/" : "", request->key);
    }
    *ret = answer;
    return 0;
}

int s3_call(struct s3_client *client, const struct s3_request *request, struct s3_answer *ret,
            struct error *err)
{
    struct s3_early none = {0};

    return s3_early_take(client, request, &none, ret, err);
}

/* --- early requests -------------------------------------------------------------------------- */

/* A failure does not matter: s3_early_take() sends the request then, and reports why it cannot. */
void s3_early_send(struct s3_client *client, const struct s3_request *request,
                   struct s3_early *ret)
{
    CLEANUP(prepared_done) struct prepared prepared = {0};
    struct error ignored;
    struct keys *keys;

    *ret = (struct s3_early){.sent_ms = monotonic_ms()};
    if (s3_client_is_down(client) || keyring_get(client->keyring, &keys, &ignored) < 0)
        return;
    if (prepared_init(&client->place, request, &prepared) < 0 ||
        send_once(client, request, keys, &prepared, 0, &ret->exchange) < 0)
        ret->exchange = NULL;
    keyring_put(keys);
}

void s3_early_drop(struct s3_client *client, struct s3_early *early)
{
    if (!early->exchange)
        return;
    breaker_note(client->breaker, BREAKER_PASSED, BREAKER_DROPPED, NULL, early->sent_ms,
                 monotonic_ms());
    exchange_close(steal_ptr(&early->exchange));
}
