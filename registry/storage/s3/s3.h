#pragma once

#include "registry/storage/s3/client.h"
#include "registry/storage/storage.h"

/*
 * A bucket as docs/storage-s3.md says. It is not a whole backend: garbage collection is missing, so
 * no configuration leads here.
 */

/*
 * Opens the bucket below root ("": all of it) and finds out what its store does. Borrows client.
 * *ret is the caller's, free with storage_close(). 0, or negative: the bucket cannot be used.
 */
int s3_open(struct s3_client *client, const char *root, struct storage **ret,
            struct error *err) MUST_USE;

/* For tests: as if that many seconds had passed since the leases were taken. */
void s3_pass_time(struct storage *storage, int64_t seconds);
