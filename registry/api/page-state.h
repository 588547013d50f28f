#pragma once

#include "registry/api/failed-logins.h"
#include "registry/api/page-summary.h"
#include "registry/core/events.h"
#include "registry/core/repository-list.h"
#include "registry/core/space-cache.h"
#include "registry/core/tag-index.h"

/* What the server keeps in memory for the page while somebody looks at it. */
struct page_state {
    struct tag_index *tags;
    struct repository_list *repositories;
    struct summary_cache *summaries;
    struct space_cache *space;
    struct failed_logins *failed_logins;
    bool has_changes; /* atomic: see page_state_take_changes() */
    int64_t next_drop_ms; /* of monotonic_ms(); for page_state_tick() only */
};

/*
 * The store is borrowed. is_read_only: nothing is recorded. *ret is owned by the caller, free with
 * page_state_free().
 */
int page_state_new(struct store *store, bool is_read_only, struct page_state **ret,
                   struct error *err) MUST_USE;
void page_state_free(struct page_state *state); /* accepts NULL */

/* Notes a change of the registry. Any thread; no I/O. */
void page_state_note(struct page_state *state, const struct event *event);

/* Whether the registry may have changed since the last call. Any thread. */
bool page_state_take_changes(struct page_state *state);

/* Frees what nobody has looked at for some minutes. Call it every few seconds, on one thread. */
void page_state_tick(struct page_state *state);
