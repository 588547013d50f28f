#pragma once

#include <stdint.h>

#include "common/error.h"
#include "registry/storage/storage.h"

/*
 * A bounded cache of blobs in a local directory (docs/storage-s3.md, "Disk cache"). Any thread may
 * call any function. The functions of which a comment says that they read or write a disk are not
 * for event threads; no mutex is held across I/O.
 *
 * Only verified bytes are served: a file is compared with its digest when it was written, and again
 * when it is used first after a start, after a day, or after somebody changed it.
 */
struct disk_cache;

typedef void disk_cache_report(const char *text);

/* Borrowed as long as the cache is open. */
struct disk_cache_options {
    const char *directory;
    uint64_t max;              /* bytes */
    disk_cache_report *report; /* tells people about problems, from any thread */
};

/* Opens or creates the directory. *ret is the caller's, free with disk_cache_free(). */
int disk_cache_new(const struct disk_cache_options *options, struct disk_cache **ret,
                   struct error *err) MUST_USE;

/*
 * Starts the thread, which locks and reads the directory. Until that is done the cache is empty;
 * while another process has the lock, too. 0 or negative.
 */
int disk_cache_start(struct disk_cache *cache, struct error *err) MUST_USE;

/* Ends the thread. All files and fills must be closed. Takes NULL. */
void disk_cache_free(struct disk_cache *cache);

void disk_cache_count(struct disk_cache *cache, struct storage_copy_counters *ret);

/* --- reading --------------------------------------------------------------------------------- */

enum disk_cache_outcome {
    DISK_CACHE_HIT,
    DISK_CACHE_MISS, /* disk_cache_fill_begin() may add it */
    DISK_CACHE_BUSY, /* a file is being written or verified, or the cache is not ready */
};

/* A file whose bytes are right. It stays readable when it is evicted. */
struct disk_cache_file {
    int fd;
    uint64_t size;
    struct disk_cache *cache;
    struct cache_entry *entry;
};

/* Reads a disk. hex is a sha256 digest. *ret is the caller's, free with disk_cache_close(). */
enum disk_cache_outcome disk_cache_open(struct disk_cache *cache, const char *hex,
                                        struct disk_cache_file **ret);
void disk_cache_close(struct disk_cache_file *file); /* takes NULL */

/* A read of the file failed: removes it. */
void disk_cache_distrust(struct disk_cache_file *file);

/* --- filling --------------------------------------------------------------------------------- */

struct disk_cache_fill;

/*
 * Makes room for a blob and creates its file; writes a disk. NULL if it is too large, if another
 * fill is writing it, if there is no room, or if the disk failed less than a minute ago.
 */
struct disk_cache_fill *disk_cache_fill_begin(struct disk_cache *cache, const char *hex,
                                              uint64_t size);

/* The number of bytes that were written. */
uint64_t disk_cache_fill_get_size(const struct disk_cache_fill *fill);

/* Appends bytes, to the page cache as an upload does. After a failure it does nothing. */
void disk_cache_fill_write(struct disk_cache_fill *fill, const void *data, size_t size);

/*
 * The thread of the cache compares the file with the digest and makes it visible if all bytes have
 * been written, and removes it otherwise. Takes ownership.
 */
void disk_cache_fill_end(struct disk_cache_fill *fill);
