#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/macros.h"

/*
 * The actions that a rule grants to one principal. The caller defines the numbers of principals and
 * the bits of actions.
 */
struct pattern_grant {
    uint32_t principal;
    uint32_t line; /* of the rule */
    uint32_t actions;
};

struct pattern_entry {
    const char *pattern; /* borrowed during pattern_index_new(); pattern_find_fault() accepts it */
    size_t size;
    struct pattern_grant grant;
};

/*
 * Finds all patterns (registry/access/pattern.h) that match a name without trying each of them. An
 * index never changes, so any thread may use it.
 */
struct pattern_index;

/* 0 with *ret owned by the caller (pattern_index_free), or -ENOMEM. */
int pattern_index_new(const struct pattern_entry *entries, size_t count,
                      struct pattern_index **ret) MUST_USE;
void pattern_index_free(struct pattern_index *index); /* takes NULL */

/*
 * Receives the grants of one pattern that matches, sorted by principal and then by line. Returns
 * true to end the search.
 */
typedef bool pattern_visitor(void *context, const struct pattern_grant *grants, size_t count);

/*
 * Calls visit() for each pattern of the index that matches name, a valid repository name. A pattern
 * with "**" may be visited more than once. Allocates no memory and takes no lock.
 */
void pattern_index_visit(const struct pattern_index *index, const char *name,
                         pattern_visitor *visit, void *context);
