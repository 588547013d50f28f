#pragma once

#include "common/digest.h"

/*
 * Remembers how far each repository has been searched for referrers that are not in its index
 * (registry/core/referrer-search.c). It only saves work: if there are too many names, or if memory
 * is exhausted, it forgets some, and these repositories are searched again. Any thread may call it.
 */
struct search_progress;

enum { SEARCH_NAME_SIZE = 256 };

/*
 * The search continues after the name last among the revisions of that algorithm; "": at the first.
 */
struct search_position {
    enum digest_algorithm algorithm;
    char last[SEARCH_NAME_SIZE];
};

enum search_state {
    SEARCH_DONE,
    SEARCH_MINE, /* the caller continues at the position, and calls search_progress_end() */
    SEARCH_BUSY, /* another thread is searching */
};

struct search_progress *search_progress_new(void); /* NULL: out of memory */
void search_progress_free(struct search_progress *progress); /* accepts NULL */

/* Waits up to patience_ms while another thread searches the repository. */
enum search_state search_progress_begin(struct search_progress *progress, const char *name,
                                        unsigned patience_ms, struct search_position *ret);

/* Ends a part of a search, at that position or (NULL) at the end of the repository. */
void search_progress_end(struct search_progress *progress, const char *name,
                         const struct search_position *position);
