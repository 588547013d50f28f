#pragma once

#include <stdint.h>

#include "common/digest.h"

/*
 * What happened in the registry. Metrics and the log use it, and so will webhooks. An event is reported after its change
 * is on disk, on the thread that made the change, which waits for the listener: so a listener neither blocks nor calls the
 * store. Garbage collection and the purge of old uploads report no events.
 */
enum event_kind {
    EVENT_PUSH_BLOB,
    EVENT_PUSH_MANIFEST, /* one event for each tag, or one without a tag */
    EVENT_PULL_BLOB,
    EVENT_PULL_MANIFEST,
    EVENT_MOUNT_BLOB,
    EVENT_DELETE_BLOB,
    EVENT_DELETE_MANIFEST,
    EVENT_DELETE_TAG,
};

/* All pointers are borrowed and valid during the call. */
struct event {
    enum event_kind kind;
    const char *repository;
    const char *tag;             /* NULL: none */
    const struct digest *digest; /* as the client named it; NULL for a deleted tag that could not be read */
    uint64_t size;               /* of the blob or manifest in bytes; 0 for what was deleted */
    const char *media_type;      /* of a manifest; NULL for blobs and for what was deleted */
    const char *source;          /* the repository that a blob was mounted from; NULL: not known */
    const char *actor;           /* the user; NULL: not logged in */
};

/* Called from any thread, from several at once. */
typedef void event_listener(void *object, const struct event *event);

struct store;

/* Sets the one listener (NULL: none). Before the store is shared between threads. */
void store_set_listener(struct store *store, event_listener *listener, void *object);

/* Reports an event to the listener. Core does this for all changes; its caller does it for pulls, which core cannot see. */
void store_report_event(const struct store *store, const struct event *event);
