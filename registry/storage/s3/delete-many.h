#pragma once

#include "registry/storage/s3/s3-private.h"

/* Deletes of many objects in one request (POST ?delete). From any thread that may wait. */

enum { S3_DELETE_MAX = 1000 /* keys in one request */ };

/* Deletes the objects at these keys. A missing one is not an error. 0 or negative. */
int s3_delete_many(struct s3 *s3, const char *const *keys, size_t count,
                   struct error *err) MUST_USE;

/*
 * The same, by requests that the store refuses S3_SOON_S after that time. At most S3_DELETE_MAX
 * keys.
 */
int s3_delete_many_soon(struct s3 *s3, const char *const *keys, size_t count, int64_t now_s,
                        struct error *err) MUST_USE;
