/*
 * Writes blobs to the disk cache while they are downloaded. A fill writes to a file with a name of
 * its own, which becomes the name of the blob when the whole file matches the digest. Nothing is
 * synced: after a power failure a file may be damaged, and the verification at its first use finds
 * that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/monotonic.h"
#include "registry/storage/s3/disk-cache-private.h"

/* A blob may take a quarter of the room. */
enum { LARGEST_PART = 4, PAUSE_MS = 60000 };

/* The disk failed: tries again later, and tells it once. */
static void pause_fills(struct disk_cache *cache, int r)
{
    bool is_told;

    pthread_mutex_lock(&cache->mutex);
    is_told = cache->is_pause_reported;
    cache->is_pause_reported = true;
    cache->pauses++;
    cache->paused_until_ms = boottime_ms() + PAUSE_MS;
    pthread_mutex_unlock(&cache->mutex);
    if (!is_told)
        disk_cache_tell(cache, "the disk cache %s takes no more blobs until it can be written: %s",
                        cache->options.directory, strerror(-r));
}

/* --- beginning ------------------------------------------------------------------------------- */

/* Removes the file of an entry that leaves. With the mutex held. 0 or -errno. */
static int evict_entry(struct disk_cache *cache, struct cache_entry *entry)
{
    int r;

    pthread_mutex_unlock(&cache->mutex);
    r = unlinkat(cache->directory, entry->hex, 0) < 0 && errno != ENOENT ? -errno : 0;
    pthread_mutex_lock(&cache->mutex);
    if (r < 0) {
        cache_index_settle(cache->index, entry);
    } else {
        entry->is_unlinked = true;
        cache->counters.evictions++;
    }
    cache_index_drop(cache->index, entry);
    return r;
}

/*
 * Adds an entry, and evicts others until it has room. With the mutex held. 0 or -errno; *ret is
 * NULL if there is an entry already, or if all others are in use.
 */
static int add_entry(struct disk_cache *cache, const char *hex, uint64_t size,
                     struct cache_entry **ret)
{
    struct cache_entry *victim;
    int r = 0;

    *ret = NULL;
    while (r == 0 && !cache_index_find(cache->index, hex)) {
        if (cache_index_has_room(cache->index, size)) {
            *ret = cache_index_add(cache->index, hex, size);
            return *ret ? 0 : -ENOMEM;
        }
        victim = cache_index_evict(cache->index);
        if (!victim)
            return 0;
        r = evict_entry(cache, victim);
    }
    return r;
}

static struct disk_cache_fill *create_fill(struct disk_cache *cache, struct cache_entry *entry,
                                           uint64_t pauses)
{
    struct disk_cache_fill *fill = calloc(1, sizeof(*fill));
    char name[CACHE_NAME_SIZE];
    int r = -ENOMEM;

    cache_format_filling(entry->hex, name);
    if (fill) {
        *fill = (struct disk_cache_fill){.cache = cache, .entry = entry, .pauses = pauses};
        fill->fd = openat(cache->directory, name,
                          O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
        r = fill->fd < 0 ? -errno : 0;
    }
    if (r == 0)
        return fill;
    free(fill);
    pause_fills(cache, r);
    pthread_mutex_lock(&cache->mutex);
    cache_index_leave(cache->index, entry);
    entry->is_unlinked = true;
    cache_index_drop(cache->index, entry);
    pthread_mutex_unlock(&cache->mutex);
    return NULL;
}

struct disk_cache_fill *disk_cache_fill_begin(struct disk_cache *cache, const char *hex,
                                              uint64_t size)
{
    struct cache_entry *entry = NULL;
    uint64_t pauses;
    int r = 0;

    if (size > cache->options.max / LARGEST_PART)
        return NULL;
    pthread_mutex_lock(&cache->mutex);
    if (cache->is_ready && boottime_ms() >= cache->paused_until_ms)
        r = add_entry(cache, hex, size, &entry);
    pauses = cache->pauses;
    pthread_mutex_unlock(&cache->mutex);
    if (r < 0)
        pause_fills(cache, r);
    return entry ? create_fill(cache, entry, pauses) : NULL;
}

/* --- writing --------------------------------------------------------------------------------- */

uint64_t disk_cache_fill_get_size(const struct disk_cache_fill *fill)
{
    return fill->written;
}

void disk_cache_fill_write(struct disk_cache_fill *fill, const void *data, size_t size)
{
    const char *at = data;

    if (size > fill->entry->size - fill->written)
        fill->has_failed = true;
    while (size > 0 && !fill->has_failed) {
        ssize_t n = pwrite(fill->fd, at, size, (off_t)fill->written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            fill->has_failed = true;
            pause_fills(fill->cache, n < 0 ? -errno : -EIO);
            return;
        }
        at += n;
        size -= (size_t)n;
        fill->written += (uint64_t)n;
    }
}

/* --- ending ---------------------------------------------------------------------------------- */

void disk_cache_fill_end(struct disk_cache_fill *fill)
{
    struct disk_cache *cache = fill->cache;

    pthread_mutex_lock(&cache->mutex);
    fill->entry->fill = fill;
    disk_cache_push_job(cache, fill->entry);
    pthread_mutex_unlock(&cache->mutex);
}

/* 0 if the file has the name of the blob now; -ECANCELED if bytes are missing; or -errno. */
static int publish(struct disk_cache_fill *fill, struct stat *ret)
{
    struct disk_cache *cache = fill->cache;
    const struct cache_entry *entry = fill->entry;
    char name[CACHE_NAME_SIZE];
    int r = fill->has_failed || fill->written < entry->size ? -ECANCELED : 0;

    cache_format_filling(entry->hex, name);
    if (r == 0)
        r = cache_file_verify(fill->fd, entry->hex, entry->size, &cache->is_ending);
    if (r == 0 && renameat(cache->directory, name, cache->directory, entry->hex) < 0)
        r = -errno;
    if (r == 0 && fstat(fill->fd, ret) < 0)
        r = -errno;
    return r;
}

/* The disk works again if it has not failed since the fill began. */
static void settle(struct disk_cache *cache, const struct disk_cache_fill *fill,
                   const struct stat *st)
{
    struct cache_entry *entry = fill->entry;
    struct cache_stamp stamp;
    bool was_paused;

    cache_stamp_of(st, &stamp);
    pthread_mutex_lock(&cache->mutex);
    cache_index_settle(cache->index, entry);
    disk_cache_trust(entry, &stamp);
    cache_index_drop(cache->index, entry);
    cache->counters.fills++;
    was_paused = cache->is_pause_reported && cache->pauses == fill->pauses;
    if (was_paused)
        cache->is_pause_reported = false;
    pthread_mutex_unlock(&cache->mutex);
    if (was_paused)
        disk_cache_tell(cache, "the disk cache %s takes blobs again", cache->options.directory);
}

/* If the file cannot be removed, its room counts for ever. */
static void discard(struct disk_cache *cache, struct cache_entry *entry)
{
    char name[CACHE_NAME_SIZE];
    bool is_unlinked;

    cache_format_filling(entry->hex, name);
    is_unlinked = unlinkat(cache->directory, name, 0) == 0 || errno == ENOENT;
    pthread_mutex_lock(&cache->mutex);
    cache_index_leave(cache->index, entry);
    entry->is_unlinked = is_unlinked;
    cache_index_drop(cache->index, entry);
    pthread_mutex_unlock(&cache->mutex);
}

void disk_cache_fill_finish(struct disk_cache *cache, struct cache_entry *entry)
{
    struct disk_cache_fill *fill = steal_ptr(&entry->fill);
    struct stat st;
    int r = publish(fill, &st);

    if (r == 0)
        settle(cache, fill, &st);
    else
        discard(cache, entry);
    if (r < 0 && r != -ECANCELED && r != -EBADMSG)
        pause_fills(cache, r);
    close(fill->fd);
    free(fill);
}
