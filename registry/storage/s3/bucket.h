#pragma once

#include "registry/storage/s3/disk-cache.h"
#include "registry/storage/s3/keyring.h"
#include "registry/storage/storage.h"

/*
 * A bucket with all that is needed to use it: the libraries, which no other configuration loads, the
 * keys, and a client. It is opened in two steps, because a process gives up rights in between: to
 * load libraries before, and to start threads, which inherit the loss, after.
 *
 * The code is a module of its own, which is loaded if a bucket is configured. This header is all that
 * the program knows of it; the functions below bucket_prepare() call those of the module.
 */
struct bucket {
    const struct bucket_functions *functions;
};

/* Borrowed until prepare() returns. NULL is the same as "" for texts. */
struct bucket_options {
    const char *endpoint; /* "https://host[:port]" */
    const char *bucket;
    const char *region;
    const char *root;
    bool has_bucket_in_host;
    bool skips_verify;
    struct keyring_options keys;
    size_t part_size, copy_part_size, copy_threshold; /* bytes; 0: as usual */
    bool is_encrypted;
    const char *key_id, *storage_class, *acl;
};

/* The ports to which it connects, that of the store and that of the endpoint for keys; 0 after the
 * last. */
enum { BUCKET_PORTS_MAX = 3 };

struct bucket_functions {
    /*
     * Connects, gets keys if they come from an endpoint, and finds out what the store does. Takes ownership of bucket, also on failure. *ret
     * is the caller's, free with storage_close(). 0, or negative: the bucket cannot be used.
     */
    int (*open)(struct bucket *bucket, struct storage **ret, struct error *err);

    /*
     * Opens a disk cache for the blobs, which open() then uses. Call it when the process has the
     * user that it keeps, and may still create the directory. 0 or negative.
     */
    int (*use_cache)(struct bucket *bucket, const struct disk_cache_options *options,
                     struct error *err);
    void (*free)(struct bucket *bucket); /* takes NULL */

    /* Where the keys come from, for the log. Valid as long as the bucket. */
    const char *(*get_origin)(const struct bucket *bucket);

    /* A file with the certificates of authorities; NULL: none is needed. The same. */
    const char *(*get_authorities)(const struct bucket *bucket);

    /* A file with a token, which is read whenever keys are needed; NULL: none. The same. */
    const char *(*get_token_file)(const struct bucket *bucket);
    void (*get_ports)(const struct bucket *bucket, unsigned ret[BUCKET_PORTS_MAX]);
};

/* What the module has under the name BUCKET_MODULE. */
struct bucket_module {
    const char *version; /* must be that of the program */

    /*
     * Loads the libraries, finds keys or the endpoint that has them, and resolves names once, for
     * which the C library may load more. *ret is the caller's, for open() or free(). 0 or negative.
     */
    int (*prepare)(const struct bucket_options *options, struct bucket **ret, struct error *err);
};

#define BUCKET_MODULE "registryd_bucket_module"
extern const struct bucket_module registryd_bucket_module;

static inline int bucket_open(struct bucket *bucket, struct storage **ret, struct error *err)
{
    return bucket->functions->open(bucket, ret, err);
}

static inline void bucket_free(struct bucket *bucket)
{
    if (bucket)
        bucket->functions->free(bucket);
}
