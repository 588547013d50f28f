#pragma once

#include "common/secbuf.h"
#include "registry/access/robots.h"
#include "registry/access/watched-table.h"

/*
 * The robots file: a watched table of struct robots. A missing file counts as one without robots.
 * If a changed file has a mistake, the previous robots stay in force.
 */

/* Like access_file_open(), but the file may be missing. */
int robots_file_open(const char *path, void (*warn)(void *context, const char *text), void *context,
                     struct watched_table **ret, struct error *err) MUST_USE;

/* The robots in force; free with robots_unref(). */
struct robots *robots_file_get_robots(struct watched_table *file);

enum robots_verdict { ROBOTS_GRANTED, ROBOTS_DENIED, ROBOTS_EXPIRED, ROBOTS_NO_MEMORY };

/*
 * Checks the password of a user such as "robot+ci", and records the time of use if it is right.
 * Does not read the file.
 */
enum robots_verdict robots_file_check(struct watched_table *file, const char *user,
                                      const struct secbuf *password);

/*
 * Calls note() for each robot that was used since note() was last called for it, but at most once
 * per interval_s for each. used_s is in seconds since 1970.
 */
void robots_file_note_uses(struct watched_table *file, int64_t interval_s,
                           void (*note)(void *object, const char *name, int64_t used_s),
                           void *object);
