#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/*
 * A circuit breaker: while the store does not answer, requests fail at once instead of waiting for
 * their deadlines, and one at a time is let through to find out whether it answers again.
 *
 * It opens after BREAKER_FAILURES failures in a row over at least BREAKER_SPAN_MS. The first probe
 * comes a second later; the pauses double up to BREAKER_PAUSE_MS. The first answer closes it. From
 * any thread; times are those of one monotonic clock.
 */
struct breaker;

enum { BREAKER_FAILURES = 4, BREAKER_SPAN_MS = 10000, BREAKER_PAUSE_MS = 10000 };

/* What a request may do. Each but BREAKER_REFUSED is followed by one breaker_note(). */
enum breaker_turn { BREAKER_PASSED, BREAKER_PROBES, BREAKER_REFUSED };

/* What became of it. */
enum breaker_result {
    BREAKER_ANSWERED,
    BREAKER_FAILED,  /* no answer, or one that says that the store is overloaded or broken */
    BREAKER_NOTHING, /* it was not sent */
    BREAKER_DROPPED, /* it was sent, and its answer was not waited for */
};

/* What happened since the start. */
struct breaker_counters {
    uint64_t requests; /* that were sent, with the retries */
    uint64_t failures; /* of these */
    uint64_t refused;  /* that were not sent */
    bool is_open;
};

/* Free with breaker_free(). NULL: out of memory. */
struct breaker *breaker_new(void);
void breaker_free(struct breaker *breaker); /* takes NULL */

enum breaker_turn breaker_ask(struct breaker *breaker, bool may_probe, int64_t now_ms);

/* began_ms: when it was sent; problem: of a failure, or NULL. */
void breaker_note(struct breaker *breaker, enum breaker_turn turn, enum breaker_result result,
                  const char *problem, int64_t began_ms, int64_t now_ms);

/* Fills err for a request that was refused. Returns -EHOSTDOWN. */
int breaker_fail(struct breaker *breaker, struct error *err);

void breaker_count(struct breaker *breaker, struct breaker_counters *ret);
