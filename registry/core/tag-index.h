#pragma once

#include <stdint.h>

#include "registry/core/events.h"
#include "registry/core/store.h"
#include "registry/core/tag-table.h"

/*
 * Lists tags by age and searches them, for people who look at a repository. Storage has no such
 * order, so the first search reads the time of each tag; the result stays in memory while somebody
 * looks at it, for TAG_INDEX_MAX tags in all.
 *
 * What this server pushes and deletes is seen at once, without a new list. After
 * TAG_INDEX_FRESH_MS, searches list the tags again to see the changes of other servers. While that
 * takes several searches, they use what is in memory if it is at most five times as old. A tag that
 * another server moved keeps its old place for a few more searches if the repository has more than
 * TAG_INDEX_CHECKED tags.
 */
struct tag_index;

enum {
    TAG_INDEX_MAX = 1000000, /* tags in memory */
    TAG_INDEX_REPOSITORIES = 64,
    TAG_INDEX_FRESH_MS = 2000,
    TAG_INDEX_CHECKED = 2000, /* how many known times a search reads again */
    TAG_INDEX_WORK_MS = 100,
};

/*
 * The store is borrowed. Usually TAG_INDEX_WORK_MS, which is how long one call reads at most, and
 * TAG_INDEX_FRESH_MS, after which changes of other servers are looked for.
 * NULL: out of memory.
 */
struct tag_index *tag_index_new(struct store *store, unsigned work_ms, unsigned fresh_ms);
void tag_index_free(struct tag_index *index); /* accepts NULL */

/* Notes a change. Any thread; no I/O. */
void tag_index_note(struct tag_index *index, const struct event *event);

/* Frees what nobody has searched for that long. */
void tag_index_drop_unused(struct tag_index *index, int64_t idle_ms);

/*
 * How many tags a repository has, and when the newest was pushed (0: not known, because reading all
 * times takes until end_ms of monotonic_ms()). Uses what is in memory, but keeps nothing.
 */
struct tag_count {
    size_t count;
    int64_t newest_ns; /* nanoseconds since 1970 */
};
int tag_index_count(struct tag_index *index, const char *name, int64_t end_ms,
                    struct tag_count *ret, struct error *err) MUST_USE;

/* How patient a search is. */
enum tag_index_patience {
    /* STORE_WOULD_WAIT while the index is not complete or not current: call again */
    TAG_INDEX_ALL,
    TAG_INDEX_WHAT_IS_KNOWN, /* never STORE_WOULD_WAIT; the page is then not complete */
};

/*
 * Searches the tags of a repository as they were after since_ms (of monotonic_ms()). Reads
 * for work_ms at most. STORE_NOT_FOUND, STORE_BUSY (another thread is reading: call again
 * a little later), STORE_WOULD_WAIT, -EINVAL for an invalid cursor, -E2BIG beyond TAG_INDEX_MAX. *ret is owned by the caller,
 * free with tag_page_done().
 */
int tag_index_search(struct tag_index *index, const char *name, const struct tag_query *query,
                     int64_t since_ms, enum tag_index_patience patience, struct tag_page *ret,
                     struct error *err) MUST_USE;
