#pragma once

#include <stdint.h>

#include "common/error.h"
#include "registry/core/store.h"

struct page_state;

/*
 * Records once a day how much the registry holds, so that the page can show how it grew although
 * nobody looked. Nothing is measured while nothing changes, nor in a bucket, where each size costs
 * a request.
 */
struct growth_recording {
    struct store *store;     /* borrowed, like the page */
    struct page_state *page; /* NULL: nothing is recorded */
    int64_t next_ms;         /* of monotonic_ms() */
};

/* Set the members before next_ms first. */
void growth_recording_start(struct growth_recording *recording);

/* Measures if it is time. pace() is as in growth_measure(). */
void growth_recording_run(struct growth_recording *recording,
                          int (*pace)(void *object, struct error *err), void *object);
