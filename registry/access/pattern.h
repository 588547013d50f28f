#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Patterns of repository names. A pattern is a path of components:
 *
 *     team/app     this repository
 *     team/web-*   '*' is any part of one component, also an empty one
 *     team/ **     (without the blank) every repository below team/, but not team itself
 *     **           every repository
 *     **'/cache    (without the quote) cache, team/cache, team/app/cache
 *
 * Pure: any thread may call these functions.
 */

enum { PATTERN_SIZE_MAX = 255 };

/* Returns NULL if text is a pattern, otherwise the mistake: "has an upper-case letter, ...". */
const char *pattern_find_fault(const char *text, size_t size);

/* Whether a text without '/' matches a component of a pattern; glob is NUL-terminated. */
bool pattern_matches_component(const char *glob, const char *text, size_t size);

struct pattern_component {
    const char *text; /* not NUL-terminated */
    size_t size;
};

/* Takes the component at *at and moves *at behind it. Returns false at the end. */
bool pattern_next_component(const char **at, const char *end, struct pattern_component *ret);

/* Whether the component is "**". */
bool pattern_is_deep(struct pattern_component component);
