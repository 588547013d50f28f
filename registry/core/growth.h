#pragma once

#include <stdint.h>

#include "registry/core/store.h"

/*
 * How the registry grew: the record registryd/page/space, with the bytes of all repositories at
 * several times. A point is added whenever somebody looks at the space, at most one in
 * GROWTH_INTERVAL_S, and once a day by the server itself.
 */
enum {
    GROWTH_POINTS_MAX = 1000,
    GROWTH_INTERVAL_S = 60 * 60, /* between two points */
    GROWTH_DAY_S = 24 * 60 * 60,
    GROWTH_BLOBS_MAX = 1000000, /* that growth_measure() counts: 64 MB of memory */
};

struct growth_point {
    int64_t time_s; /* since 1970 */
    uint64_t bytes;
};

struct growth {
    struct growth_point items[GROWTH_POINTS_MAX]; /* by time */
    size_t count;
};

/* A missing or damaged record is an empty one. 0 or negative. */
int growth_read(struct store *store, struct growth *ret, struct error *err) MUST_USE;

/*
 * Adds a point if the last one is GROWTH_INTERVAL_S old. A full record loses every second point of
 * its older half. Returns whether it changed.
 */
bool growth_add(struct growth *growth, const struct growth_point *point);

/* Adds a point to the record. Best effort: it is only shown to people. */
void growth_note(struct store *store, const struct growth_point *point);

/* Whether the last point of the record is a day old, or missing. */
bool growth_is_due(struct store *store);

/* Whether garbage was collected since the last point, by any server or command. */
bool growth_is_before_collection(struct store *store);

/*
 * Measures the registry and adds a point; an empty registry gets none. pace() is called between two
 * steps; a negative result of it ends the run and is returned. -E2BIG beyond GROWTH_BLOBS_MAX.
 */
int growth_measure(struct store *store, int (*pace)(void *object, struct error *err), void *object,
                   struct error *err) MUST_USE;
