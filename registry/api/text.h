#pragma once

#include <stddef.h>

#include "common/macros.h"

/*
 * A growing text for JSON. After the first failure (out of memory) it stays unchanged, and
 * text_steal() returns NULL.
 */
struct text {
    char *data;
    size_t size, capacity;
    int has_failed;
};

void text_add(struct text *text, const void *data, size_t size);
void text_add_string(struct text *text, const char *string);

/* Adds string as a JSON string in quotes. */
void text_add_quoted(struct text *text, const char *string);

/* The text, NUL-terminated, owned by the caller, free with free(); NULL if memory ran out. */
char *text_steal(struct text *text, size_t *ret_size);
void text_done(struct text *text);
