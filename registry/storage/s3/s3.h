#pragma once

#include "registry/storage/s3/client.h"
#include "registry/storage/s3/disk-cache.h"
#include "registry/storage/storage.h"

/* The backend for buckets, as docs/storage-s3.md says. */

enum { S3_OBJECT_HEADERS_MAX = 4 };

/* Text is borrowed as long as the storage is open. */
struct s3_options {
    struct s3_client *client; /* borrowed, too */
    const char *root;         /* "": all of the bucket */
    size_t part_size;         /* of uploads; 0: 10 MiB */
    unsigned parts_max;       /* of an upload; 0: 10,000 */
    size_t upload_memory;     /* of all uploads; 0: 30 MiB, or three parts if they are larger */
    unsigned upload_silent_ms; /* then memory that a client does not fill is taken back; 0: usual */
    /* Objects larger than that are copied in parts of that size; 0: 4 GiB and 32 MiB. */
    size_t copy_threshold, copy_part_size;
    struct s3_pair headers[S3_OBJECT_HEADERS_MAX]; /* of requests that create objects */
    size_t header_count;
    struct disk_cache *cache;      /* borrowed, too; NULL: none */
    void (*release)(void *object); /* called when the storage was closed; may be NULL */
    void *object;
};

/*
 * Opens the bucket and finds out what its store does. *ret is the caller's, free with
 * storage_close(). 0, or negative: the bucket cannot be used, and release() was not called.
 */
int s3_open(const struct s3_options *options, struct storage **ret, struct error *err) MUST_USE;

/* For tests: as if that many seconds had passed since the leases were taken. */
void s3_pass_time(struct storage *storage, int64_t seconds);

/* For tests: makes all objects that many seconds older. Those of the next two seconds, too. */
void s3_make_older(struct storage *storage, int64_t seconds);
