#pragma once

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/access/robots.h"

/*
 * The robots file (registry/access/robots.h), read again when it changes. A missing file counts as
 * one without robots. If the file has a mistake, the previous robots stay in force. Any thread may
 * call these functions.
 */
struct robots_file;

/* As access_file_open(), but the file may be missing. */
int robots_file_open(const char *path, void (*warn)(void *context, const char *text), void *context,
                     struct robots_file **ret, struct error *err) MUST_USE;
void robots_file_close(struct robots_file *file); /* after the last other call; takes NULL */

/* whether the file is the one that was read; for event threads, too */
bool robots_file_is_current(struct robots_file *file);
/* reads the file if it has changed; waits for the disk */
void robots_file_refresh(struct robots_file *file);
/* reads it now, for SIGHUP */
int robots_file_reload(struct robots_file *file, struct error *err) MUST_USE;
/* for the caller to robots_unref() */
struct robots *robots_file_get_robots(struct robots_file *file);

enum robots_verdict { ROBOTS_GRANTED, ROBOTS_DENIED, ROBOTS_EXPIRED, ROBOTS_NO_MEMORY };

/*
 * Whether a user such as "robot+ci" (NUL-terminated) has this password. Reads no file; remembers
 * that the robot was used.
 */
enum robots_verdict robots_file_check(struct robots_file *file, const char *user,
                                      const struct secbuf *password);

/*
 * Calls note for each robot that was used after its last note, if that was at least interval_s ago;
 * used_s is since 1970.
 */
void robots_file_note_uses(struct robots_file *file, int64_t interval_s,
                           void (*note)(void *object, const char *name, int64_t used_s),
                           void *object);
