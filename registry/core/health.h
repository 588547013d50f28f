#pragma once

#include "registry/core/store.h"

/*
 * Whether the registry is healthy: whether it can reach its storage. Asking waits for nothing and
 * sends no request: a directory is looked at, and a remote storage is checked from time to time by
 * a thread. From any thread.
 */
struct health;

struct health_options {
    bool is_checked;      /* otherwise a remote storage is down only if requests to it fail */
    uint64_t interval_ms; /* between two checks of a remote storage */
    unsigned threshold;   /* checks in a row that must fail until it counts as down */
};

/* Borrows store. *ret is the caller's, free with health_stop(). 0 or negative. */
int health_start(struct store *store, const struct health_options *options, struct health **ret,
                 struct error *err) MUST_USE;

/* Takes NULL. */
void health_stop(struct health *health);

/* 0, or negative: the registry is not healthy. */
int health_get(struct health *health, struct error *err) MUST_USE;
