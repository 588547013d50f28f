#pragma once

#include <stdint.h>

#include "registry/core/events.h"
#include "registry/core/snapshot-cache.h"
#include "registry/core/store.h"

/*
 * The names of all repositories in memory, for people who look for one: finding them reads a
 * directory for each. A list never changes; a newer one replaces it.
 *
 * A repository that this server creates is seen at once; one of another server, and one that was
 * removed, after REPOSITORY_LIST_FRESH_MS.
 */
struct repository_list;

enum { REPOSITORY_LIST_FRESH_MS = 3000 };

/* The store is borrowed. NULL: out of memory. */
struct repository_list *repository_list_new(struct store *store, unsigned fresh_ms);
void repository_list_free(struct repository_list *list); /* accepts NULL */

/* Notes a change. Any thread; no I/O. */
void repository_list_note(struct repository_list *list, const struct event *event);

/* Frees the names if nobody has asked for them for that long. */
void repository_list_drop_unused(struct repository_list *list, int64_t idle_ms);

struct repository_names {
    struct snapshot snapshot;
    struct store_names names; /* in the order of store_list_repositories() */
};

/*
 * Gets all names, and reads them if necessary, which takes long: one thread reads, and others get
 * what is known. STORE_BUSY: nothing is known yet; call again a little later. Unreadable ones are
 * left out. Give *ret back with repository_list_release().
 */
int repository_list_get(struct repository_list *list, const struct repository_names **ret,
                        struct error *err) MUST_USE;
void repository_list_release(struct repository_list *list, const struct repository_names *names);
