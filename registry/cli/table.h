#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/words.h"

/* A table on a terminal: its columns are as wide as the longest text in them. */
enum { TABLE_COLUMNS_MAX = 6 };

struct table {
    size_t columns;
    const char *align; /* for each column 'l' or 'r' */
    char **cells;      /* row by row */
    size_t count;
};

/*
 * Adds a row of copies, in which control characters are replaced. The first row has the headings. 0
 * or -ENOMEM.
 */
int table_add(struct table *table, const char *const *row, struct error *err) MUST_USE;
void table_print(const struct table *table);
void table_done(struct table *table);

/* A time in UTC as "2026-11-30 12:34", "-" for 0. Returns ret. */
const char *short_time(int64_t seconds, char ret[WORDS_SIZE_MAX]);
