#include "registry/storage/s3/breaker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/random.h"

enum { FIRST_PAUSE_MS = 1000, PROBLEM_SIZE = 256 };

enum state {
    CLOSED,  /* the store answers */
    OPEN,    /* it does not */
    PROBING, /* a request is under way to find out */
};

struct breaker {
    pthread_mutex_t mutex; /* protects the rest */
    enum state state;
    unsigned failures;    /* in a row */
    int64_t failing_ms;   /* since when: the first of these was sent then */
    int64_t probe_ms;     /* when the next probe is due */
    int64_t pause_ms;     /* the one after that comes so much later */
    char problem[PROBLEM_SIZE]; /* of the last failure */
    struct breaker_counters counters;
};

struct breaker *breaker_new(void)
{
    struct breaker *breaker = calloc(1, sizeof(*breaker));

    if (breaker)
        pthread_mutex_init(&breaker->mutex, NULL);
    return breaker;
}

void breaker_free(struct breaker *breaker)
{
    if (!breaker)
        return;
    pthread_mutex_destroy(&breaker->mutex);
    free(breaker);
}

enum breaker_turn breaker_ask(struct breaker *breaker, bool may_probe, int64_t now_ms)
{
    enum breaker_turn turn = BREAKER_PASSED;

    pthread_mutex_lock(&breaker->mutex);
    if (breaker->state == OPEN && may_probe && now_ms >= breaker->probe_ms) {
        breaker->state = PROBING;
        turn = BREAKER_PROBES;
    } else if (breaker->state != CLOSED) {
        turn = BREAKER_REFUSED;
    }
    if (turn == BREAKER_REFUSED)
        breaker->counters.refused++;
    pthread_mutex_unlock(&breaker->mutex);
    return turn;
}

/* Servers that lost the store together do not come back together. */
static int64_t spread(int64_t pause_ms)
{
    unsigned random;

    random_bytes(&random, sizeof(random));
    return pause_ms / 2 + random % (pause_ms / 2 + 1);
}

static void open_breaker(struct breaker *breaker, int64_t now_ms)
{
    breaker->state = OPEN;
    breaker->probe_ms = now_ms + spread(breaker->pause_ms);
    if (breaker->pause_ms < BREAKER_PAUSE_MS)
        breaker->pause_ms =
            2 * breaker->pause_ms < BREAKER_PAUSE_MS ? 2 * breaker->pause_ms : BREAKER_PAUSE_MS;
}

static void close_breaker(struct breaker *breaker)
{
    breaker->state = CLOSED;
    breaker->failures = 0;
    breaker->pause_ms = FIRST_PAUSE_MS;
}

/* A request that was sent before the breaker opened says nothing new when it fails. */
static void note_failure(struct breaker *breaker, enum breaker_turn turn, int64_t began_ms,
                         int64_t now_ms)
{
    breaker->counters.failures++;
    if (breaker->failures++ == 0 || began_ms < breaker->failing_ms)
        breaker->failing_ms = began_ms;
    if (turn == BREAKER_PROBES && breaker->state == PROBING) {
        open_breaker(breaker, now_ms);
    } else if (breaker->state == CLOSED && breaker->failures >= BREAKER_FAILURES &&
               now_ms - breaker->failing_ms >= BREAKER_SPAN_MS) {
        breaker->pause_ms = FIRST_PAUSE_MS;
        open_breaker(breaker, now_ms);
    }
}

void breaker_note(struct breaker *breaker, enum breaker_turn turn, enum breaker_result result,
                  const char *problem, int64_t began_ms, int64_t now_ms)
{
    pthread_mutex_lock(&breaker->mutex);
    breaker->counters.requests += result != BREAKER_NOTHING;
    if (problem)
        snprintf(breaker->problem, sizeof(breaker->problem), "%s", problem);
    if (result == BREAKER_ANSWERED)
        close_breaker(breaker);
    else if (result == BREAKER_FAILED)
        note_failure(breaker, turn, began_ms, now_ms);
    else if (result == BREAKER_NOTHING && turn == BREAKER_PROBES && breaker->state == PROBING)
        breaker->state = OPEN; /* another one probes now */
    pthread_mutex_unlock(&breaker->mutex);
}

int breaker_fail(struct breaker *breaker, struct error *err)
{
    char problem[PROBLEM_SIZE];

    pthread_mutex_lock(&breaker->mutex);
    snprintf(problem, sizeof(problem), "%s", breaker->problem);
    pthread_mutex_unlock(&breaker->mutex);
    return error_set(err, EHOSTDOWN, "not sent, because the store does not answer%s%s",
                     *problem ? ": " : "", problem);
}

void breaker_count(struct breaker *breaker, struct breaker_counters *ret)
{
    pthread_mutex_lock(&breaker->mutex);
    *ret = breaker->counters;
    ret->is_open = breaker->state != CLOSED;
    pthread_mutex_unlock(&breaker->mutex);
}
