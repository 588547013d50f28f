#pragma once

#include <stdint.h>

#include "registry/core/store.h"

/*
 * Records when tags and manifests were last pulled, for retention (registry/core/retention.h).
 * Pulls are gathered in memory, so that they cost no I/O, and written by pull_log_flush(): the
 * first one within about a minute, later ones once an hour. A crash loses what was not yet written.
 * The time of a record is that of its object, repositories/NAME/_registryd/pulled/...
 */
enum { PULL_LOG_MAX = 100000, PULL_INTERVAL_S = 60 * 60, PULL_GAP_MAX_S = 3 * 24 * 60 * 60 };

struct pull_log;

struct pull_log *pull_log_new(void); /* NULL: out of memory */
void pull_log_free(struct pull_log *log); /* accepts NULL */

/*
 * Records a pull by tag or, if tag is NULL, by digest. Any thread, no I/O. If the log is full,
 * everything counts as pulled now.
 */
void pull_log_add(struct pull_log *log, const char *name, const char *tag,
                  const struct digest *digest);

/*
 * Writes what is due, and a marker that pulls are being recorded. One thread at a time. What cannot
 * be written is retried by the next call; the first failure is returned at the end.
 */
int pull_log_flush(struct pull_log *log, struct store *store, struct error *err) MUST_USE;

/*
 * Since when pulls have been recorded, in seconds since 1970. The time is reset after
 * PULL_GAP_MAX_S without a server that records. STORE_NOT_FOUND: pulls are not recorded.
 */
int store_find_recording(struct store *store, int64_t *ret_s, struct error *err) MUST_USE;

/*
 * When a tag, or the manifest that it names (by digest), was last pulled; 0 if no pull is recorded.
 */
int store_find_pull(struct store *store, const char *name, const char *tag,
                    const struct digest *digest, int64_t *ret_s, struct error *err) MUST_USE;

/* Removes the records of deleted tags and manifests. */
int store_forget_pulls(struct store *store, const char *name, struct error *err) MUST_USE;
