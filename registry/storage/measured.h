#pragma once

#include "registry/storage/storage.h"

/* The kinds of storage calls that registry:2's metrics distinguish. */
enum storage_action {
    STORAGE_ACTION_GET,  /* reads a small object */
    STORAGE_ACTION_STAT, /* looks at an object */
    STORAGE_ACTION_LIST,
    STORAGE_ACTION_PUT, /* writes objects, and makes them durable */
    STORAGE_ACTION_DELETE,
    STORAGE_ACTIONS,
};

/* Called after each call, on its thread. */
typedef void storage_observer(void *object, enum storage_action action, uint64_t us);

/*
 * Creates a storage that forwards all calls to inner and reports how long they took. Takes
 * ownership of inner, and closes it on failure. Returns 0, or negative with err filled; free *ret
 * with storage_close().
 */
int storage_measure(struct storage *inner, storage_observer *observe, void *object,
                    struct storage **ret, struct error *err) MUST_USE;
