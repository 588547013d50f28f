#pragma once

#include <stdint.h>

#include "common/digest.h"

struct store_names;

/*
 * Events for metrics and the log. An event is reported after its change is on disk, by the thread
 * that made the change. That thread waits for the listener, so a listener must not block or call
 * the store. Garbage collection and the purge of old uploads report no events.
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
    const struct store_names *tags; /* that went with a deleted manifest; NULL for other events */
    /* as the client named it; NULL for a deleted tag that could not be read */
    const struct digest *digest;
    uint64_t size;               /* of the blob or manifest in bytes; 0 for what was deleted */
    const char *media_type;      /* of a manifest; NULL for blobs and for what was deleted */
    const char *source;          /* the repository that a blob was mounted from; NULL: not known */
    const char *actor;           /* the user; NULL: not logged in */
};

/* Called from any thread, from several at once. */
typedef void event_listener(void *object, const struct event *event);

struct store;

/* Sets the only listener (NULL: none). Call it before threads share the store. */
void store_set_listener(struct store *store, event_listener *listener, void *object);

/*
 * Reports an event to the listener. registry/core/ reports changes; its caller reports pulls, which
 * core cannot see.
 */
void store_report_event(const struct store *store, const struct event *event);
