#include "registry/storage/s3/upload-table.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Of the states that are remembered. */
enum { IDLE_MAX = 1024, TAIL_BYTES_MAX = 4 << 20 };

/* An upload that is open, or whose state is remembered. */
struct row {
    char *key;
    bool is_open;
    struct session session; /* unless it is open */
    char *tail;             /* NULL: none */
    size_t tail_size;
    struct row *older, *newer; /* of those that are not open */
};

struct upload_table {
    pthread_mutex_t mutex; /* protects the rest */
    void *tree;            /* of struct row, for tsearch() */
    struct row *oldest, *newest;
    size_t idle, tail_bytes;
};

static int compare(const void *a, const void *b)
{
    const struct row *left = a, *right = b;

    return strcmp(left->key, right->key);
}

static void row_free(void *object)
{
    struct row *row = object;

    if (!row)
        return;
    free(row->tail);
    free(row->key);
    free(row);
}

struct upload_table *upload_table_new(void)
{
    struct upload_table *table = calloc(1, sizeof(*table));

    if (table)
        pthread_mutex_init(&table->mutex, NULL);
    return table;
}

void upload_table_free(struct upload_table *table)
{
    if (!table)
        return;
    tdestroy(table->tree, row_free);
    pthread_mutex_destroy(&table->mutex);
    free(table);
}

/* --- called with the mutex held -------------------------------------------------------------- */

static struct row *find(struct upload_table *table, const char *key)
{
    struct row wanted = {.key = (char *)key}, **found = tfind(&wanted, &table->tree, compare);

    return found ? *found : NULL;
}

static void unlink_idle(struct upload_table *table, struct row *row)
{
    *(row->older ? &row->older->newer : &table->oldest) = row->newer;
    *(row->newer ? &row->newer->older : &table->newest) = row->older;
    table->idle--;
    table->tail_bytes -= row->tail_size;
}

static void link_newest(struct upload_table *table, struct row *row)
{
    row->older = table->newest;
    row->newer = NULL;
    *(table->newest ? &table->newest->newer : &table->oldest) = row;
    table->newest = row;
    table->idle++;
    table->tail_bytes += row->tail_size;
}

static void drop(struct upload_table *table, struct row *row)
{
    tdelete(row, &table->tree, compare);
    row_free(row);
}

static void drop_oldest(struct upload_table *table)
{
    while (table->idle > IDLE_MAX || table->tail_bytes > TAIL_BYTES_MAX) {
        struct row *row = table->oldest;

        unlink_idle(table, row);
        drop(table, row);
    }
}

/* NULL if memory is out. */
static struct row *add_open(struct upload_table *table, const char *key)
{
    struct row *row = calloc(1, sizeof(*row));

    if (!row)
        return NULL;
    row->is_open = true;
    row->key = strdup(key);
    if (row->key && tsearch(row, &table->tree, compare))
        return row;
    row_free(row);
    return NULL;
}

static int open_row(struct upload_table *table, const char *key, bool *ret_is_known,
                    struct session *ret, char **ret_tail)
{
    struct row *row = find(table, key);

    if (row && row->is_open)
        return STORAGE_WOULD_WAIT;
    *ret_is_known = row;
    if (!row)
        return add_open(table, key) ? 0 : -ENOMEM;
    unlink_idle(table, row);
    row->is_open = true;
    row->tail_size = 0;
    *ret = row->session;
    *ret_tail = steal_ptr(&row->tail);
    return 0;
}

/* --- public functions ------------------------------------------------------------------------ */

int upload_table_open(struct upload_table *table, const char *key, bool *ret_is_known,
                      struct session *ret, char **ret_tail)
{
    int r;

    pthread_mutex_lock(&table->mutex);
    r = open_row(table, key, ret_is_known, ret, ret_tail);
    pthread_mutex_unlock(&table->mutex);
    return r;
}

void upload_table_close(struct upload_table *table, const char *key, const struct session *session,
                        const char *tail)
{
    size_t size = session && !*session->tail_name ? (size_t)session->tail : 0;
    char *copy = size > 0 ? malloc(size) : NULL;
    struct row *row;

    if (copy)
        memcpy(copy, tail, size);
    pthread_mutex_lock(&table->mutex);
    row = find(table, key);
    if (session && (copy || size == 0)) {
        row->is_open = false;
        row->session = *session;
        row->tail = copy;
        row->tail_size = size;
        link_newest(table, row);
        drop_oldest(table);
    } else {
        drop(table, row);
    }
    pthread_mutex_unlock(&table->mutex);
}
