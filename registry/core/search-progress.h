#pragma once

#include "common/digest.h"

/*
 * How far each repository has been searched for referrers that are not in its index (registry/core/referrer-search.c).
 * It only saves work: if it holds too many names, or memory is out, it forgets some, and they are searched again. From
 * any thread.
 */
struct search_progress;

enum { SEARCH_NAME_SIZE = 256 };

/* The search goes on after the name last among the revisions of that algorithm; "": at the first. */
struct search_position {
    enum digest_algorithm algorithm;
    char last[SEARCH_NAME_SIZE];
};

enum search_state {
    SEARCH_DONE,
    SEARCH_MINE, /* the caller goes on at the position, and calls search_progress_end() */
    SEARCH_BUSY, /* another thread is searching */
};

struct search_progress *search_progress_new(void); /* NULL: out of memory */
void search_progress_free(struct search_progress *progress); /* takes NULL */

/* Waits up to patience_ms while another thread searches the repository. */
enum search_state search_progress_begin(struct search_progress *progress, const char *name, unsigned patience_ms,
                                        struct search_position *ret);

/* The search has come to that position, or to its end (NULL). */
void search_progress_end(struct search_progress *progress, const char *name, const struct search_position *position);
