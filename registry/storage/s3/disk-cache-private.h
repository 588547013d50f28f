#pragma once

#include <pthread.h>

#include "registry/storage/s3/cache-directory.h"
#include "registry/storage/s3/disk-cache.h"

/* What disk-cache.c and disk-cache-fill.c share. */
struct disk_cache {
    struct disk_cache_options options;
    int directory;
    pthread_t thread;
    bool has_thread;
    bool is_ending; /* atomic, so that the verification of a file sees it without the mutex */
    int lock;       /* of the directory; only the thread uses it */

    pthread_mutex_t mutex; /* protects the rest; not held across I/O */
    pthread_cond_t changed;
    bool is_ready; /* the directory was read */
    struct cache_index *index;
    struct cache_entry *first_job, *last_job;
    uint64_t paused_until_ms; /* no fills until then, by boottime_ms() */
    uint64_t pauses;          /* how often the disk failed */
    bool is_pause_reported;
    struct storage_copy_counters counters;
};

struct disk_cache_fill {
    struct disk_cache *cache;
    struct cache_entry *entry;
    int fd;
    uint64_t written;
    uint64_t pauses; /* of the cache when it began */
    bool has_failed;
};

/* Tells people about a problem. */
void disk_cache_tell(struct disk_cache *cache, const char *format, ...) PRINTF_LIKE(2, 3);

/* Gives the thread a job on an entry, with one use of the entry. With the mutex held. */
void disk_cache_push_job(struct disk_cache *cache, struct cache_entry *entry);

/* Ends one use of an entry. */
void disk_cache_drop(struct disk_cache *cache, struct cache_entry *entry);

/* The bytes of an entry are right as long as the file has that stamp. With the mutex held. */
void disk_cache_trust(struct cache_entry *entry, const struct cache_stamp *stamp);

/* The job for an entry that is filling. Ends the use of the entry. */
void disk_cache_fill_finish(struct disk_cache *cache, struct cache_entry *entry);
