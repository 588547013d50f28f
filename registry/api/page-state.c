#include "registry/api/page-state.h"

#include <stdlib.h>

#include "common/monotonic.h"

enum { IDLE_MS = 5 * 60 * 1000 };

int page_state_new(struct store *store, bool is_read_only, struct page_state **ret,
                   struct error *err)
{
    struct page_state *state = calloc(1, sizeof(*state));

    if (!state)
        return error_set_oom(err);
    state->tags = tag_index_new(store, TAG_INDEX_WORK_MS, TAG_INDEX_FRESH_MS);
    state->repositories = repository_list_new(store, REPOSITORY_LIST_FRESH_MS);
    state->summaries = summary_cache_new();
    state->space = space_cache_new(store, !is_read_only);
    state->failed_logins = failed_logins_new();
    state->has_changes = true; /* what happened before the start is not known */
    if (!state->space || !state->failed_logins || !state->tags || !state->repositories ||
        !state->summaries) {
        page_state_free(state);
        return error_set_oom(err);
    }
    state->next_drop_ms = monotonic_ms() + IDLE_MS;
    *ret = state;
    return 0;
}

void page_state_free(struct page_state *state)
{
    if (!state)
        return;
    tag_index_free(state->tags);
    repository_list_free(state->repositories);
    summary_cache_free(state->summaries);
    space_cache_free(state->space);
    failed_logins_free(state->failed_logins);
    free(state);
}

/* Whether the event changes what the registry holds. */
static bool is_change(const struct event *event)
{
    return event->kind != EVENT_PULL_BLOB && event->kind != EVENT_PULL_MANIFEST;
}

void page_state_note(struct page_state *state, const struct event *event)
{
    if (is_change(event))
        __atomic_store_n(&state->has_changes, true, __ATOMIC_RELAXED);
    tag_index_note(state->tags, event);
    repository_list_note(state->repositories, event);
}

bool page_state_take_changes(struct page_state *state)
{
    return __atomic_exchange_n(&state->has_changes, false, __ATOMIC_RELAXED);
}

void page_state_tick(struct page_state *state)
{
    if (monotonic_ms() < state->next_drop_ms)
        return;
    state->next_drop_ms = monotonic_ms() + IDLE_MS;
    tag_index_drop_unused(state->tags, IDLE_MS);
    repository_list_drop_unused(state->repositories, IDLE_MS);
    summary_cache_drop_unused(state->summaries);
    space_cache_drop_unused(state->space, IDLE_MS);
}
