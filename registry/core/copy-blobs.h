#pragma once

#include <stdbool.h>

#include "registry/core/copy-report.h"
#include "registry/core/store.h"

/*
 * Copies the bytes of blobs and manifests from one store to another, each once, and writes links to
 * them. Any thread may call these functions.
 */
struct copy_blobs;

enum {
    COPY_MISSING = 1, /* the source does not have the bytes */
    COPY_DAMAGED,     /* the source's bytes are damaged, which was reported */
};

/* All borrowed. *ret is owned by the caller, free with copy_blobs_free(). 0 or -ENOMEM. */
int copy_blobs_new(struct store *from, struct store *to, struct copy_report *report,
                   struct copy_blobs **ret);
void copy_blobs_free(struct copy_blobs *blobs); /* accepts NULL */

/* Adds a blob to the totals of the progress, once. 0 or -ENOMEM. */
int copy_blobs_expect(struct copy_blobs *blobs, const struct digest *canonical, uint64_t size);

/* A blob to copy; all borrowed. */
struct copy_blob {
    const struct digest *canonical; /* sha256 */
    const char *name;               /* of a repository that has it, for messages */
    const void *bytes; /* a manifest that was read and compared with the digest; NULL: read it */
    size_t size;
};

/*
 * Makes sure that the destination has the blob, then performs steps that rely on it. The first
 * step is filled in: it keeps the blob from a garbage collection in the destination. Returns 0,
 * COPY_MISSING, COPY_DAMAGED or negative.
 */
int copy_blobs_write(struct copy_blobs *blobs, const struct copy_blob *blob,
                     struct storage_step *steps, size_t count, struct error *err) MUST_USE;

/* Reports, once, that a link leads to bytes that do not exist. */
void copy_blobs_report_missing(struct copy_blobs *blobs, const struct copy_blob *blob);

/*
 * Whether the source has these bytes, under a sha512 digest. Reads all of them. 0, COPY_MISSING,
 * COPY_DAMAGED (not reported) or negative.
 */
int copy_blobs_check_alias(struct copy_blobs *blobs, const struct digest *alias,
                           const struct digest *canonical, struct error *err) MUST_USE;

/*
 * Whether a failure to read the source concerns only one object, which is damaged, so that the copy
 * continues.
 */
bool copy_is_damage(struct store *from, int r);

/* Removes what copies that were interrupted have left in the destination. */
int copy_blobs_clean_up(struct store *to, struct error *err) MUST_USE;
