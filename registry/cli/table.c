#include "registry/cli/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/printable.h"

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

/* The width in characters: UTF-8's continuation bytes do not count. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
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
