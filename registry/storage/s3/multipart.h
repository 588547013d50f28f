#pragma once

#include "registry/storage/s3/s3-private.h"

/* Multipart uploads to the object at key. All wait, and return 0 or negative. */

int multipart_start(struct s3 *s3, const char *key, char *ret_id, struct error *err);
int multipart_put(struct s3 *s3, const char *key, const char *id, unsigned number, const void *data,
                  size_t size, char ret_etag[S3_ETAG_SIZE + 2], struct error *err);

/* Ends one without an object. It may be missing. */
int multipart_abort(struct s3 *s3, const char *key, const char *id, struct error *err);

/*
 * Ends those below the prefix of all keys that are at least a week and age_s old and that no state
 * names. Does nothing if the store does not let this client list them.
 */
int multipart_purge(struct s3 *s3, int64_t age_s, struct error *err);

/*
 * Makes an object of the first parts, which together have size bytes, and ETags with that chain
 * (session_chain(); NULL: any). STORAGE_NOT_FOUND if there is no such multipart upload.
 */
int multipart_complete(struct s3 *s3, const char *key, const char *id, unsigned parts,
                       uint64_t size, const char *chain, struct error *err);

/* Copies an object of size bytes inside of the store. */
int multipart_copy(struct s3 *s3, const char *from, uint64_t size, const char *to,
                   struct error *err);
