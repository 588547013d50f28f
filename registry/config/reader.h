#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "registry/config/shown.h"
#include "registry/config/text-list.h"
#include "registry/config/yaml-tree.h"

/*
 * Typed settings by their dotted path. *value holds the default; it stays unchanged if the setting
 * is missing or null. Each function returns 0, or negative with err: the place, the fault and what
 * is allowed. One thread at a time.
 */
struct reader {
    struct yaml_tree *tree;
    struct text_list *warnings;
    struct error *err;
};

/* Returns NULL if the setting is missing or null. */
struct yaml_tree *reader_find(const struct reader *reader, const char *path);

/* Refuses a setting that exists, with its place; never shows its value. Returns negative. */
int reader_refuse(const struct reader *reader, const char *path, const char *format, ...)
    PRINTF_LIKE(3, 4);

int reader_warn(const struct reader *reader, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

int reader_get_bool(const struct reader *reader, const char *path, bool *value);
int reader_get_unsigned(const struct reader *reader, const char *path, unsigned min, unsigned max,
                        unsigned *value);

/* In milliseconds. */
int reader_get_duration(const struct reader *reader, const char *path, uint64_t *value);

/* Text without control characters; empty text counts as missing. Valid as long as the tree. */
int reader_get_text(const struct reader *reader, const char *path, const char **value);

/* One of words (NULL at the end); *value is its index. Case does not matter. */
int reader_get_choice(const struct reader *reader, const char *path, const char *const *words,
                      unsigned *value);

/* The start of an error text: `"VALUE" is `, or "" if the value is a secret. */
enum { READER_SHOWN_SIZE = SHOWN_SIZE + 10 };
void reader_show(const char *path, const struct yaml_tree *node, char ret_text[READER_SHOWN_SIZE]);
