#pragma once

#include "registry/storage/storage.h"

/* What a call of a storage does, in the classes that registry:2's metrics have. */
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
 * A storage that passes all calls on to another one, and reports how long they took. Takes
 * ownership of inner, which is closed if this fails. 0 with *ret (storage_close), or negative.
 */
int storage_measure(struct storage *inner, storage_observer *observe, void *object,
                    struct storage **ret, struct error *err) MUST_USE;
