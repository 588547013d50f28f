#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "registry/core/name-search.h"
#include "registry/spec/name.h"

/*
 * The tags of one repository in memory, to be searched: about 30 bytes for each. A table is filled
 * in the order of names, sealed, and constant from then on.
 */
struct tag_row {
    int64_t pushed_ns; /* nanoseconds since 1970 */
    uint32_t name;     /* offset in names */
};

struct tag_table {
    struct tag_row *rows; /* by name */
    uint32_t *newest;     /* indexes of rows: the newest first, then by name; set by sealing */
    char *names;
    size_t count, capacity, names_size, names_capacity;
    unsigned references; /* used by the owner of the table */
};

/* For count tags whose names have names_size bytes with their NULs. NULL: out of memory. */
struct tag_table *tag_table_new(size_t count, size_t names_size);
void tag_table_free(struct tag_table *table); /* accepts NULL */

/* Adds a tag that comes after all others. There must be room. */
void tag_table_add(struct tag_table *table, const char *name, int64_t pushed_ns);

static inline const char *tag_table_name(const struct tag_table *table, const struct tag_row *row)
{
    return table->names + row->name;
}

/* Sorts; to be called once, after the last tag. 0 or -ENOMEM. */
int tag_table_seal(struct tag_table *table);

/* A sealed copy of what has been added so far. NULL: out of memory. */
struct tag_table *tag_table_copy(const struct tag_table *table);

/* --- searching ------------------------------------------------------------------------------ */

enum tag_order { TAG_ORDER_NEWEST, TAG_ORDER_NAME };

/* Where a page ends: its last tag, and in the order of age also the time of that. */
enum { TAG_CURSOR_SIZE = TAG_MAX_SIZE + 24 };

struct tag_query {
    enum tag_order order;
    struct name_search search;
    const char *last; /* the cursor of the page before; "" for the first page */
    size_t n;
};

struct tag_found {
    char name[TAG_MAX_SIZE + 1];
    int64_t pushed_ns;
};

struct tag_page {
    struct tag_found *items;
    size_t count;
    size_t total; /* how many tags match, on all pages */
    char next[TAG_CURSOR_SIZE]; /* the cursor of this page; "" if it is the last */
    bool is_complete; /* of a search in an index that is still being read: false */
};

/* The cursor of a page that ends with this tag. */
void tag_found_format_cursor(const struct tag_found *found, enum tag_order order,
                             char ret[TAG_CURSOR_SIZE]);

/* 0, -EINVAL for an invalid cursor, or -ENOMEM. Free *ret with tag_page_done(). */
int tag_table_search(const struct tag_table *table, const struct tag_query *query,
                     struct tag_page *ret);
void tag_page_done(struct tag_page *page);
