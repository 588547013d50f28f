#pragma once

#include <stdint.h>

#include "registry/core/store.h"

/*
 * When tags and manifests were pulled last, for retention (registry/core/retention.h). Pulls are gathered in memory, so that
 * they cost no I/O, and written by pull_log_flush(): the first one within a minute or so, further ones once an hour. A crash
 * loses what was not yet written. The time of a record is that of its object, repositories/NAME/_registryd/pulled/...
 */
enum { PULL_LOG_MAX = 100000, PULL_INTERVAL_S = 60 * 60, PULL_GAP_MAX_S = 3 * 24 * 60 * 60 };

struct pull_log;

struct pull_log *pull_log_new(void); /* NULL: out of memory */
void pull_log_free(struct pull_log *log); /* takes NULL */

/* From any thread, without I/O. By tag, or (tag NULL) by digest. If there is no room, all are counted as pulled now. */
void pull_log_add(struct pull_log *log, const char *name, const char *tag, const struct digest *digest);

/*
 * Writes what is due, and that pulls are being recorded. One thread at a time. What cannot be written is tried again; the
 * first failure is returned at the end.
 */
int pull_log_flush(struct pull_log *log, struct store *store, struct error *err) MUST_USE;

/*
 * Since when pulls have been recorded, in seconds since 1970. It begins anew after PULL_GAP_MAX_S without a server that
 * records. STORE_NOT_FOUND: they are not.
 */
int store_find_recording(struct store *store, int64_t *ret_s, struct error *err) MUST_USE;

/* When a tag, or the manifest that it names by its digest, was pulled last; 0 if no pull is recorded. */
int store_find_pull(struct store *store, const char *name, const char *tag, const struct digest *digest, int64_t *ret_s,
                    struct error *err) MUST_USE;

/* Removes the records of tags and manifests that are gone. */
int store_forget_pulls(struct store *store, const char *name, struct error *err) MUST_USE;
