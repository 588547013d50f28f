#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "registry/config/text-list.h"
#include "registry/config/yaml-tree.h"

/*
 * Settings by their dotted path, typed. Each function leaves *value, which holds the default, where the setting is
 * absent or null; 0, or negative with the place, what is wrong and what is allowed. One thread at a time.
 */
struct reader {
    struct yaml_tree *tree;
    struct text_list *warnings;
    struct error *err;
};

/* NULL if it is absent or null. */
struct yaml_tree *reader_find(const struct reader *reader, const char *path);

/* Refuses a setting that is there, with its place; never shows its value. Returns negative. */
int reader_refuse(const struct reader *reader, const char *path, const char *format, ...) PRINTF_LIKE(3, 4);

int reader_warn(const struct reader *reader, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;

int reader_get_bool(const struct reader *reader, const char *path, bool *value);
int reader_get_unsigned(const struct reader *reader, const char *path, unsigned min, unsigned max, unsigned *value);

/* In milliseconds. */
int reader_get_duration(const struct reader *reader, const char *path, uint64_t *value);

/* Text without control characters; empty is absent. Valid as long as the tree. */
int reader_get_text(const struct reader *reader, const char *path, const char **value);

/* One of words (NULL at the end); *value is its index. Case does not matter. */
int reader_get_choice(const struct reader *reader, const char *path, const char *const *words, unsigned *value);

/* Shows a setting's value in an error, if it is no secret: "\"x\" is " or "". */
enum { READER_SHOWN_SIZE = 100 };
void reader_show(const char *path, const struct yaml_tree *node, char ret_text[READER_SHOWN_SIZE]);
