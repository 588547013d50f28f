#pragma once

#include "registry/config/settings.h"
#include "registry/confine/confine.h"
#include "registry/core/store.h"
#include "registry/storage/filesystem/filesystem.h"
#include "registry/storage/s3/bucket.h"

/*
 * Opens the storage that a configuration names. A bucket is opened in two steps: it is prepared
 * before the process gives up its rights, and opened afterwards, because that starts a thread. A
 * directory is opened before.
 */

/*
 * *ret is the caller's, free with bucket_free(); NULL if the data is in a directory. 0 or negative.
 */
int open_store_prepare(const struct settings *settings, struct bucket **ret,
                       struct error *err) MUST_USE;

/* Lets the process reach the data later; borrows both. bucket may be NULL. */
void open_store_allow(const struct settings *settings, const struct bucket *bucket,
                      struct confinement *confinement);

/*
 * Takes ownership of bucket, which is NULL if the data is in a directory; then sharing says how.
 * *ret is the caller's, free with storage_close() or store_close(). 0 or negative.
 */
int open_store_storage(const struct settings *settings, struct bucket *bucket,
                       enum filesystem_sharing sharing, struct storage **ret,
                       struct error *err) MUST_USE;
int open_store(const struct settings *settings, struct bucket *bucket,
               enum filesystem_sharing sharing, struct store **ret, struct error *err) MUST_USE;

/* Where the data is, for people: the directory, or "the bucket NAME at URL". Free with free(). */
char *open_store_describe(const struct settings *settings);
