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
    if (!state->space || !state->failed_logins || !state->tags || !state->repositories || !state->summaries) {
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

void page_state_note(struct page_state *state, const struct event *event)
{
    tag_index_note(state->tags, event);
    repository_list_note(state->repositories, event);
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
