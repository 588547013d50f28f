#include "registry/core/tag-table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/macros.h"

struct tag_table *tag_table_new(size_t count, size_t names_size)
{
    struct tag_table *table = calloc(1, sizeof(*table));

    if (!table)
        return NULL;
    table->rows = calloc(count + 1, sizeof(*table->rows));
    table->names = malloc(names_size + 1);
    table->capacity = count;
    table->names_capacity = names_size;
    if (table->rows && table->names)
        return table;
    tag_table_free(table);
    return NULL;
}

void tag_table_free(struct tag_table *table)
{
    if (!table)
        return;
    free(table->rows);
    free(table->newest);
    free(table->names);
    free(table);
}

void tag_table_add(struct tag_table *table, const char *name, int64_t pushed_ns)
{
    size_t size = strlen(name) + 1;

    if (table->count >= table->capacity || size > table->names_capacity - table->names_size)
        return;
    table->rows[table->count++] =
        (struct tag_row){.pushed_ns = pushed_ns, .name = (uint32_t)table->names_size};
    memcpy(table->names + table->names_size, name, size);
    table->names_size += size;
}

/* --- sorting -------------------------------------------------------------------------------- */

struct dated {
    int64_t pushed_ns;
    uint32_t row;
};

/* Rows are in the order of names. */
static int compare_dated(const void *a, const void *b)
{
    const struct dated *one = a, *other = b;

    if (one->pushed_ns != other->pushed_ns)
        return one->pushed_ns > other->pushed_ns ? -1 : 1;
    return (one->row > other->row) - (one->row < other->row);
}

int tag_table_seal(struct tag_table *table)
{
    CLEANUP_FREE struct dated *dated = calloc(table->count + 1, sizeof(*dated));

    table->newest = calloc(table->count + 1, sizeof(*table->newest));
    if (!dated || !table->newest)
        return -ENOMEM;
    for (size_t i = 0; i < table->count; i++)
        dated[i] = (struct dated){table->rows[i].pushed_ns, (uint32_t)i};
    qsort(dated, table->count, sizeof(*dated), compare_dated);
    for (size_t i = 0; i < table->count; i++)
        table->newest[i] = dated[i].row;
    return 0;
}

struct tag_table *tag_table_copy(const struct tag_table *table)
{
    struct tag_table *copy = tag_table_new(table->count, table->names_size);

    if (!copy)
        return NULL;
    memcpy(copy->rows, table->rows, table->count * sizeof(*table->rows));
    memcpy(copy->names, table->names, table->names_size);
    copy->count = table->count;
    copy->names_size = table->names_size;
    if (tag_table_seal(copy) == 0)
        return copy;
    tag_table_free(copy);
    return NULL;
}

/* --- searching ------------------------------------------------------------------------------ */

/* The end of the page before. A page in the order of names has no time. */
struct cursor {
    bool is_set;
    int64_t pushed_ns;
    const char *name;
};

static int parse_cursor(const struct tag_query *query, struct cursor *ret)
{
    char *end = NULL;

    *ret = (struct cursor){.is_set = *query->last, .name = query->last};
    if (!ret->is_set || query->order == TAG_ORDER_NAME)
        return 0;
    errno = 0;
    ret->pushed_ns = strtoll(query->last, &end, 10);
    if (errno != 0 || end == query->last || *end != '-')
        return -EINVAL;
    ret->name = end + 1;
    return 0;
}

void tag_found_format_cursor(const struct tag_found *found, enum tag_order order,
                             char ret[TAG_CURSOR_SIZE])
{
    if (order == TAG_ORDER_NAME)
        snprintf(ret, TAG_CURSOR_SIZE, "%s", found->name);
    else
        snprintf(ret, TAG_CURSOR_SIZE, "%" PRId64 "-%s", found->pushed_ns, found->name);
}

static bool is_after(const struct tag_table *table, const struct tag_query *query,
                     const struct cursor *cursor, const struct tag_row *row)
{
    if (!cursor->is_set)
        return true;
    if (query->order == TAG_ORDER_NEWEST && row->pushed_ns != cursor->pushed_ns)
        return row->pushed_ns < cursor->pushed_ns;
    return strcmp(tag_table_name(table, row), cursor->name) > 0;
}

static void add_found(struct tag_page *page, const struct tag_table *table,
                      const struct tag_row *row)
{
    struct tag_found *found = &page->items[page->count++];

    snprintf(found->name, sizeof(found->name), "%s", tag_table_name(table, row));
    found->pushed_ns = row->pushed_ns;
}

int tag_table_search(const struct tag_table *table, const struct tag_query *query,
                     struct tag_page *ret)
{
    struct tag_page page = {.is_complete = true};
    struct cursor cursor;
    bool has_more = false;
    int r = parse_cursor(query, &cursor);

    if (r < 0)
        return r;
    page.items = calloc(query->n + 1, sizeof(*page.items));
    if (!page.items)
        return -ENOMEM;
    for (size_t i = 0; i < table->count; i++) {
        const struct tag_row *row =
            &table->rows[query->order == TAG_ORDER_NEWEST ? table->newest[i] : i];

        if (!name_search_matches(&query->search, tag_table_name(table, row)))
            continue;
        page.total++;
        if (!is_after(table, query, &cursor, row))
            continue;
        if (page.count < query->n)
            add_found(&page, table, row);
        else
            has_more = true;
    }
    if (has_more && page.count > 0)
        tag_found_format_cursor(&page.items[page.count - 1], query->order, page.next);
    *ret = page;
    return 0;
}

void tag_page_done(struct tag_page *page)
{
    free(page->items);
    *page = (struct tag_page){0};
}
