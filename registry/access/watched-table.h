#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "registry/access/watched-file.h"

/*
 * A table that is read from a file and replaced as a whole when the file changes. If the
 * file cannot be read or has a mistake, the previous table stays in force. Any thread may call
 * these functions; the comments say which may read the file.
 */
struct watched_table;

/* How a table is made from a file. A table never changes; its references are counted. */
struct watched_table_type {
    /*
     * 0 with one reference in *ret; a type that keeps content->text sets it to NULL. Negative if
     * the file has a mistake. May call watched_table_warn().
     */
    int (*parse)(struct watched_table *watched, struct file_content *content, void **ret,
                 struct error *err);
    /* whether the table was made from this text */
    bool (*is_of)(const void *table, const char *text, size_t size);
    void *(*ref)(void *table);
    void (*unref)(void *table);
    bool may_be_missing; /* at the start; then parse() receives content without text */
    /* added to a warning when a file cannot be used: "the previous users stay in force" */
    const char *stays;
};

struct watched_table_options {
    const char *path;
    const struct watched_table_type *type; /* borrowed */

    /*
     * Called with one line of text for the operator, by the thread that reads the file, one at a
     * time. May be NULL.
     */
    void (*warn)(void *context, const char *text);
    void *context;
};

/*
 * Reads the file. 0 with *ret owned by the caller (watched_table_close), or negative, -ENOENT for a
 * missing file.
 */
int watched_table_open(const struct watched_table_options *options, struct watched_table **ret,
                       struct error *err) MUST_USE;
void watched_table_close(struct watched_table *watched); /* after the last other call; takes NULL */

/*
 * Whether the file is unchanged since it was read. Calls only stat(2), so event threads may call
 * it.
 */
bool watched_table_is_current(struct watched_table *watched);

/* Reads the file if it has changed. A failure is only a warning. Waits for the disk. */
void watched_table_refresh(struct watched_table *watched);

/*
 * Reads the file now, for SIGHUP. Waits for the disk. Returns 0, or negative without a warning;
 * then the previous table stays in force.
 */
int watched_table_reload(struct watched_table *watched, struct error *err) MUST_USE;

/* The table in force, never NULL, with a reference for the caller. */
void *watched_table_get(struct watched_table *watched);

/* For parse(): warns the operator with one line. */
void watched_table_warn(struct watched_table *watched, const char *format, ...) PRINTF_LIKE(2, 3);

/* For parse(): warns if every user of the machine may change the file. */
void watched_table_warn_if_open(struct watched_table *watched, const struct file_content *content);

const char *watched_table_path(const struct watched_table *watched);
