/*
 * Two locks: `lock` is held for a few instructions, so that an event thread never waits for a disk;
 * `reload_lock` is held while the file is read, and only threads that may wait take it.
 */
#include "registry/access/watched-table.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/monotonic.h"

enum { RETRY_MS = 2000, UNFINISHED_RETRY_MS = 100 };

struct watched_table {
    char *path;
    const struct watched_table_type *type;
    void (*warn)(void *context, const char *text);
    void *context;

    pthread_mutex_t lock;
    void *table;             /* we hold one reference */
    struct file_stamp stamp; /* of the file when it was last read, or tried to */
    uint64_t look_again_ms;  /* read the file then even if the stamp stays the same; 0: no */

    pthread_mutex_t
        reload_lock;  /* of the following, and of threads that change what `lock` protects */
    int last_failure; /* for which warn() was called; 0 since a success */
};

void watched_table_warn(struct watched_table *watched, const char *format, ...)
{
    struct error line; /* error_set() makes one line of any text */
    char text[sizeof(line.text)];
    va_list args;

    if (!watched->warn)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    error_set(&line, 0, "%s", text);
    watched->warn(watched->context, line.text);
}

void watched_table_warn_if_open(struct watched_table *watched, const struct file_content *content)
{
    if (content->is_open)
        watched_table_warn(watched, "%s can be changed by every user of this machine: chmod o-w %s",
                           watched->path, watched->path);
}

const char *watched_table_path(const struct watched_table *watched)
{
    return watched->path;
}

void *watched_table_get(struct watched_table *watched)
{
    void *table;

    pthread_mutex_lock(&watched->lock);
    table = watched->type->ref(watched->table);
    pthread_mutex_unlock(&watched->lock);
    return table;
}

/* --- reading the file; reload_lock is held ---------------------------------------------- */

/*
 * Both functions set the stamp, and the time at which the file is read again even if its stamp
 * stays the same (0: never).
 */

static void keep_table(struct watched_table *watched, const struct file_stamp *stamp,
                       uint64_t look_again_ms)
{
    pthread_mutex_lock(&watched->lock);
    watched->stamp = *stamp;
    watched->look_again_ms = look_again_ms;
    pthread_mutex_unlock(&watched->lock);
}

/* Takes ownership of table, which may be a reference to the one in force. */
static void put_in_force(struct watched_table *watched, void *table, const struct file_stamp *stamp,
                         uint64_t look_again_ms)
{
    void *before;

    pthread_mutex_lock(&watched->lock);
    before = watched->table;
    watched->table = table;
    watched->stamp = *stamp;
    watched->look_again_ms = look_again_ms;
    pthread_mutex_unlock(&watched->lock);
    if (before)
        watched->type->unref(before);
}

static int read_file(struct watched_table *watched, struct error *err)
{
    CLEANUP(file_content_done) struct file_content content = {0};
    void *table = NULL;
    uint64_t now = boottime_ms();
    int r = watched_file_read(watched->path, &content, err);

    if (r == -ENOENT && watched->type->may_be_missing && !watched->table) {
        content.stamp.error = ENOENT;
        r = 0;
    }
    if (r < 0)
        return r;
    if (watched->table && content.is_unfinished) { /* its writer is still busy */
        keep_table(watched, &content.stamp, now + UNFINISHED_RETRY_MS);
        return 0;
    }
    if (watched->table && watched->type->is_of(watched->table, content.text, content.size))
        table = watched->type->ref(watched->table);
    else
        r = watched->type->parse(watched, &content, &table, err);
    if (r < 0)
        return r;
    put_in_force(watched, table, &content.stamp,
                 file_stamp_is_fresh(&content.stamp) ? now + RETRY_MS : 0);
    return 0;
}

/* Whether a retry may succeed although the file does not change. */
static bool may_pass(int r)
{
    return r != -ENOENT && r != -EFBIG && r != -E2BIG && r != -EINVAL;
}

static int read_or_keep(struct watched_table *watched, struct error *err)
{
    struct file_stamp stamp;
    int r;

    file_stamp_take(watched->path, &stamp); /* first, so that a later change is noticed */
    r = read_file(watched, err);
    if (r < 0)
        keep_table(watched, &stamp, may_pass(r) ? boottime_ms() + RETRY_MS : 0);
    return r;
}

/* --- public ----------------------------------------------------------------------------- */

bool watched_table_is_current(struct watched_table *watched)
{
    struct file_stamp stamp;
    bool is_equal;

    file_stamp_take(watched->path, &stamp);
    pthread_mutex_lock(&watched->lock);
    is_equal = file_stamp_is_equal(&stamp, &watched->stamp) &&
               (watched->look_again_ms == 0 || boottime_ms() < watched->look_again_ms);
    pthread_mutex_unlock(&watched->lock);
    return is_equal;
}

void watched_table_refresh(struct watched_table *watched)
{
    struct error err;
    int r;

    if (watched_table_is_current(watched))
        return;
    pthread_mutex_lock(&watched->reload_lock);
    r = watched_table_is_current(watched)
            ? 0
            : read_or_keep(watched, &err); /* another thread may have read it */
    if (r < 0 && r != watched->last_failure)
        watched_table_warn(watched, "%s; %s", err.text, watched->type->stays);
    watched->last_failure = r;
    pthread_mutex_unlock(&watched->reload_lock);
}

int watched_table_reload(struct watched_table *watched, struct error *err)
{
    int r;

    pthread_mutex_lock(&watched->reload_lock);
    r = read_or_keep(watched, err);
    watched->last_failure = r;
    pthread_mutex_unlock(&watched->reload_lock);
    return r;
}

int watched_table_open(const struct watched_table_options *options, struct watched_table **ret,
                       struct error *err)
{
    struct watched_table *watched = calloc(1, sizeof(*watched));
    int r;

    if (!watched)
        return error_set_oom(err);
    pthread_mutex_init(&watched->lock, NULL);
    pthread_mutex_init(&watched->reload_lock, NULL);
    watched->type = options->type;
    watched->warn = options->warn;
    watched->context = options->context;
    watched->path = strdup(options->path);
    r = watched->path ? watched_table_reload(watched, err) : error_set_oom(err);
    if (r < 0) {
        watched_table_close(watched);
        return r;
    }
    *ret = watched;
    return 0;
}

void watched_table_close(struct watched_table *watched)
{
    if (!watched)
        return;
    if (watched->table)
        watched->type->unref(watched->table);
    free(watched->path);
    pthread_mutex_destroy(&watched->lock);
    pthread_mutex_destroy(&watched->reload_lock);
    free(watched);
}
