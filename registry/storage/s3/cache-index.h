#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"

/*
 * Which blobs a disk cache has, how much room they take, and which one to evict next. No I/O. One
 * thread at a time: the cache's mutex protects an index and its entries.
 *
 * The order is a segmented LRU. A new blob is on probation, and a hit protects it. Protected blobs
 * may take four fifths of the room; the oldest one beyond that is on probation again. Blobs on
 * probation are evicted first, so that many blobs that are read once do not evict popular ones.
 */
enum cache_state {
    CACHE_FILLING, /* a download is being written to a temporary file */
    CACHE_WHOLE,   /* the file is there */
    CACHE_LEAVING, /* the file is being removed; the entry stays until nobody uses it */
};

/* Whether a file that is there has the right bytes. */
enum cache_trust { CACHE_UNVERIFIED, CACHE_VERIFYING, CACHE_VERIFIED };

/* What changes if somebody else changes a file. */
struct cache_stamp {
    uint64_t inode, size;
    int64_t changed_s, changed_ns;
};

struct cache_list;
struct cache_entry {
    char hex[65];  /* of the sha256 digest; the name of the file */
    uint64_t size; /* bytes */
    enum cache_state state;
    enum cache_trust trust;
    struct cache_stamp stamp;    /* if it was verified */
    uint64_t verified_until_ms;  /* by boottime_ms() */
    unsigned users;              /* readers, fills and jobs */
    bool is_unlinked;            /* the file is removed */
    struct disk_cache_fill *fill; /* a job of the cache's thread: ends it */
    struct cache_entry *next_job;
    bool is_queued;

    /* For the index. */
    struct cache_entry *next_in_bucket, *newer, *older;
    struct cache_list *list; /* NULL: filling or leaving */
};

struct cache_list {
    struct cache_entry *newest, *oldest;
    uint64_t room;
};

enum { CACHE_BUCKETS = 1 << 14, CACHE_ENTRIES_MAX = 1 << 18, CACHE_BLOCK = 4096 };

struct cache_index {
    uint64_t max, used; /* bytes of room */
    size_t count;
    uint64_t factor; /* of the hash; random, so that nobody can make blobs share a bucket */
    struct cache_list probation, protected;
    struct cache_entry *buckets[CACHE_BUCKETS];
};

/* NULL: out of memory. */
struct cache_index *cache_index_new(uint64_t max);
void cache_index_free(struct cache_index *index); /* takes NULL */

/* What a file of that size takes on disk. */
uint64_t cache_room_of(uint64_t size);

/* Valid as long as it is in the index. NULL: the index does not have it. */
struct cache_entry *cache_index_find(const struct cache_index *index, const char *hex);

bool cache_index_has_room(const struct cache_index *index, uint64_t size);

/*
 * Adds an entry that is filling, with one user, and counts its room. NULL: out of memory, or there
 * is no room: then cache_index_evict() makes some.
 */
struct cache_entry *cache_index_add(struct cache_index *index, const char *hex, uint64_t size);

/* The file of an entry is there now; it is the newest on probation. */
void cache_index_settle(struct cache_index *index, struct cache_entry *entry);

/* It was used. */
void cache_index_touch(struct cache_index *index, struct cache_entry *entry);

/* Takes an entry out of the order; its room counts until the last user has left. */
void cache_index_leave(struct cache_index *index, struct cache_entry *entry);

/*
 * Makes the oldest entry that nobody uses leave, with one user: the caller removes the file and
 * then calls cache_index_drop(). NULL: no entry can leave now.
 */
struct cache_entry *cache_index_evict(struct cache_index *index);

/* Ends one use. Frees an entry that is leaving if it was the last one and the file is removed. */
void cache_index_drop(struct cache_index *index, struct cache_entry *entry);
