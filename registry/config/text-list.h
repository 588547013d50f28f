#pragma once

#include <stddef.h>

#include "common/macros.h"

/* A list of lines of text. One thread at a time. */
struct text_list {
    char **items;
    size_t count;
};

/* Appends; control characters are replaced by '?'. 0 or -ENOMEM. */
int text_list_add(struct text_list *list, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

/* Frees all and leaves an empty list. */
void text_list_done(struct text_list *list);
