#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Finds names by parts of them: every word of a search must be somewhere in the name, in any order,
 * upper or lower case. A search without words finds everything. Pure; any thread may call it.
 */
enum { NAME_SEARCH_MAX = 256, NAME_SEARCH_WORDS = 16 };

struct name_search {
    char text[NAME_SEARCH_MAX + 1]; /* the words, each with a NUL at its end */
    unsigned short words[NAME_SEARCH_WORDS]; /* where they begin in text */
    size_t count;
};

/* Splits at blanks. Ignores text beyond NAME_SEARCH_MAX bytes and words beyond the last. */
void name_search_init(struct name_search *search, const char *text);

bool name_search_matches(const struct name_search *search, const char *name);
