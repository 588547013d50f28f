#include "registry/cli/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/macros.h"
#include "common/printable.h"
#include "common/utf8.h"

int table_add(struct table *table, const char *const *row, struct error *err)
{
    char **grown = reallocarray(table->cells, table->count + table->columns, sizeof(*grown));

    if (!grown)
        return error_set_oom(err);
    table->cells = grown;
    for (size_t i = 0; i < table->columns; i++) {
        char *cell = strdup(row[i]);

        if (!cell)
            return error_set_oom(err);
        printable_clean(cell);
        table->cells[table->count++] = cell;
    }
    return 0;
}

/* Code points that take two columns of a terminal, and those that take none. */
static const struct { uint32_t first, last; size_t width; } unusual[] = {
    {0x0300, 0x036F, 0}, {0x1100, 0x115F, 2},   {0x200B, 0x200F, 0},   {0x20D0, 0x20FF, 0},
    {0x2E80, 0x303E, 2}, {0x3041, 0xA4CF, 2},   {0xAC00, 0xD7A3, 2},   {0xF900, 0xFAFF, 2},
    {0xFE00, 0xFE0F, 0}, {0xFE30, 0xFE6F, 2},   {0xFF00, 0xFF60, 2},   {0xFFE0, 0xFFE6, 2},
    {0x1F300, 0x1F64F, 2}, {0x1F680, 0x1F6FF, 2}, {0x1F900, 0x1F9FF, 2}, {0x20000, 0x3FFFD, 2},
};

static size_t width_of_code_point(uint32_t code_point)
{
    for (size_t i = 0; i < ARRAY_SIZE(unusual); i++)
        if (code_point >= unusual[i].first && code_point <= unusual[i].last)
            return unusual[i].width;
    return 1;
}

/* The width in columns of a terminal. It does not depend on the locale, as wcwidth() would. */
static size_t width_of(const char *text)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + strlen(text);
    size_t width = 0;
    uint32_t code_point;

    for (; at < end; width += width_of_code_point(code_point))
        at += utf8_decode(at, (size_t)(end - at), &code_point);
    return width;
}

static void print_cell(const struct table *table, size_t column, const char *text, size_t width)
{
    int padding = (int)(width - width_of(text));

    if (table->align[column] == 'r')
        printf("%*s%s", padding, "", text);
    else if (column + 1 < table->columns)
        printf("%s%*s", text, padding, "");
    else
        fputs(text, stdout);
    fputs(column + 1 < table->columns ? "  " : "\n", stdout);
}

void table_print(const struct table *table)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};

    for (size_t i = 0; i < table->count; i++) {
        size_t width = width_of(table->cells[i]), column = i % table->columns;

        if (width > widths[column])
            widths[column] = width;
    }
    for (size_t i = 0; i < table->count; i++)
        print_cell(table, i % table->columns, table->cells[i], widths[i % table->columns]);
}

void table_done(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
}

const char *short_time(int64_t seconds, char ret[WORDS_SIZE_MAX])
{
    time_t when = (time_t)seconds;
    struct tm tm;

    if (seconds == 0 || !gmtime_r(&when, &tm))
        return "-";
    strftime(ret, WORDS_SIZE_MAX, "%Y-%m-%d %H:%M", &tm);
    return ret;
}
