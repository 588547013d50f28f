#include "registry/storage/s3/disk-cache.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/condition.h"
#include "common/monotonic.h"
#include "common/thread.h"
#include "registry/storage/s3/disk-cache-private.h"

enum {
    AT_ONCE_MAX = 8 << 20, /* a smaller file is verified by the request that wants it */
    TRUST_MS = 24 * 60 * 60 * 1000,
    OTHER_MS = 1000,  /* between looks whether another process still has the directory */
    RETRY_MS = 60000, /* between tries to read a directory that fails */
    TEXT_SIZE = 1024,
    NICENESS = 5, /* downloads come first */
};

void disk_cache_tell(struct disk_cache *cache, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (cache->options.report)
        cache->options.report(text);
}

void disk_cache_push_job(struct disk_cache *cache, struct cache_entry *entry)
{
    entry->next_job = NULL;
    *(cache->last_job ? &cache->last_job->next_job : &cache->first_job) = entry;
    cache->last_job = entry;
    entry->is_queued = true;
    pthread_cond_broadcast(&cache->changed);
}

/* The next job, or NULL if the queue is empty. With the mutex held. */
static struct cache_entry *take_job(struct disk_cache *cache)
{
    struct cache_entry *entry = cache->first_job;

    if (!entry)
        return NULL;
    cache->first_job = entry->next_job;
    if (!cache->first_job)
        cache->last_job = NULL;
    entry->is_queued = false;
    return entry;
}

void disk_cache_drop(struct disk_cache *cache, struct cache_entry *entry)
{
    pthread_mutex_lock(&cache->mutex);
    cache_index_drop(cache->index, entry);
    pthread_mutex_unlock(&cache->mutex);
}

/* --- trust ----------------------------------------------------------------------------------- */

void disk_cache_trust(struct cache_entry *entry, const struct cache_stamp *stamp)
{
    entry->trust = CACHE_VERIFIED;
    entry->stamp = *stamp;
    entry->verified_until_ms = boottime_ms() + TRUST_MS;
}

/* With the mutex held. */
static bool is_trusted(const struct cache_entry *entry)
{
    return entry->trust == CACHE_VERIFIED && boottime_ms() < entry->verified_until_ms;
}

/* Removes the file of an entry that leaves. */
static void unlink_entry(struct disk_cache *cache, struct cache_entry *entry)
{
    bool is_unlinked = unlinkat(cache->directory, entry->hex, 0) == 0 || errno == ENOENT;

    pthread_mutex_lock(&cache->mutex);
    entry->is_unlinked = is_unlinked;
    pthread_mutex_unlock(&cache->mutex);
}

/*
 * Takes an entry out of the index, because its file is damaged. With the mutex held. False if
 * another thread did that before.
 */
static bool leave_damaged(struct disk_cache *cache, struct cache_entry *entry)
{
    if (entry->state != CACHE_WHOLE)
        return false;
    cache_index_leave(cache->index, entry);
    cache->counters.damaged++;
    return true;
}

/* Removes a file that has wrong bytes or cannot be read. The caller uses the entry. */
static void remove_damaged(struct disk_cache *cache, struct cache_entry *entry, int r)
{
    bool is_first;

    pthread_mutex_lock(&cache->mutex);
    is_first = leave_damaged(cache, entry);
    pthread_mutex_unlock(&cache->mutex);
    if (!is_first)
        return;
    disk_cache_tell(cache, "the disk cache removes %s/%s: %s", cache->options.directory, entry->hex,
                    r == -EBADMSG ? "it does not match its digest" : strerror(-r));
    unlink_entry(cache, entry);
}

/* Whether r says something about the file, and not about this process. */
static bool is_fault_of_file(int r)
{
    return r == -EBADMSG || r == -EIO || r == -ENOENT || r == -ELOOP;
}

/* Compares the file of an entry that is CACHE_VERIFYING with its digest. 0 or -errno. */
static int verify_entry(struct disk_cache *cache, struct cache_entry *entry)
{
    struct cache_stamp stamp, after;
    CLEANUP_CLOSE int fd = cache_file_open(cache->directory, entry->hex, entry->size, &stamp);
    struct stat st;
    int r = fd < 0 ? fd : cache_file_verify(fd, entry->hex, entry->size, &cache->is_ending);

    if (r == 0) {
        r = fstat(fd, &st) < 0 ? -errno : 0;
        cache_stamp_of(&st, &after);
    }
    pthread_mutex_lock(&cache->mutex);
    entry->trust = CACHE_UNVERIFIED;
    if (r == 0 && cache_stamp_is_same(&stamp, &after))
        disk_cache_trust(entry, &stamp);
    pthread_mutex_unlock(&cache->mutex);
    if (is_fault_of_file(r))
        remove_damaged(cache, entry, r);
    return r;
}

/* --- the thread ------------------------------------------------------------------------------ */

static bool is_ending(const struct disk_cache *cache)
{
    return __atomic_load_n(&cache->is_ending, __ATOMIC_RELAXED);
}

/* Ends the use of the entry that the job has. */
static void do_job(struct disk_cache *cache, struct cache_entry *entry, enum cache_state state)
{
    if (state == CACHE_FILLING) {
        disk_cache_fill_finish(cache, entry);
        return;
    }
    if (state == CACHE_LEAVING)
        unlink_entry(cache, entry);
    else
        (void)verify_entry(cache, entry);
    disk_cache_drop(cache, entry);
}

/* Only the owner of the lock removes files, so the blobs of a running server are safe. */
static int take_directory(struct disk_cache *cache, struct cache_index *index)
{
    int r = cache->lock >= 0 ? 0 : cache_directory_lock(cache->directory, &cache->lock);

    return r < 0 ? r : cache_directory_scan(cache->directory, index);
}

/* Tries until the directory was read. With the mutex held. */
static void wait_for_directory(struct disk_cache *cache)
{
    int told = 0;

    while (!is_ending(cache)) {
        struct cache_index *index = cache_index_new(cache->options.max);
        struct timespec end;
        int r;

        pthread_mutex_unlock(&cache->mutex);
        r = index ? take_directory(cache, index) : -ENOMEM;
        if (r < 0 && r != told)
            disk_cache_tell(cache, "the disk cache %s is not used yet: %s",
                            cache->options.directory,
                            r == -EWOULDBLOCK ? "another process uses it" : strerror(-r));
        told = r;
        pthread_mutex_lock(&cache->mutex);
        if (r == 0) {
            cache->index = index;
            cache->is_ready = true;
            return;
        }
        cache_index_free(index);
        end = condition_deadline(r == -EWOULDBLOCK ? OTHER_MS : RETRY_MS);
        while (!is_ending(cache) &&
               pthread_cond_timedwait(&cache->changed, &cache->mutex, &end) == 0)
            ;
    }
}

static void *run(void *object)
{
    struct disk_cache *cache = object;

    (void)setpriority(PRIO_PROCESS, 0, NICENESS); /* of this thread */
    pthread_mutex_lock(&cache->mutex);
    wait_for_directory(cache);
    while (!is_ending(cache) || cache->first_job) {
        struct cache_entry *entry = take_job(cache);
        enum cache_state state;

        if (!entry) {
            pthread_cond_wait(&cache->changed, &cache->mutex);
            continue;
        }
        state = entry->state;
        pthread_mutex_unlock(&cache->mutex);
        do_job(cache, entry, state);
        pthread_mutex_lock(&cache->mutex);
    }
    pthread_mutex_unlock(&cache->mutex);
    return NULL;
}

int disk_cache_new(const struct disk_cache_options *options, struct disk_cache **ret,
                   struct error *err)
{
    struct disk_cache *cache;
    int directory, r = cache_directory_open(options->directory, &directory, err);

    if (r < 0)
        return r;
    cache = calloc(1, sizeof(*cache));
    if (!cache) {
        close(directory);
        return error_set_oom(err);
    }
    *cache = (struct disk_cache){.options = *options, .directory = directory, .lock = -1};
    pthread_mutex_init(&cache->mutex, NULL);
    condition_init(&cache->changed);
    *ret = cache;
    return 0;
}

int disk_cache_start(struct disk_cache *cache, struct error *err)
{
    int r = thread_start(&cache->thread, "s3-cache", run, cache);

    cache->has_thread = r == 0;
    return r == 0 ? 0 : error_set_errno(err, -r, "cannot start the thread of the disk cache");
}

void disk_cache_free(struct disk_cache *cache)
{
    if (!cache)
        return;
    pthread_mutex_lock(&cache->mutex);
    __atomic_store_n(&cache->is_ending, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&cache->changed);
    pthread_mutex_unlock(&cache->mutex);
    if (cache->has_thread)
        pthread_join(cache->thread, NULL);
    pthread_cond_destroy(&cache->changed);
    pthread_mutex_destroy(&cache->mutex);
    cache_index_free(cache->index);
    if (cache->lock >= 0)
        close(cache->lock);
    close(cache->directory);
    free(cache);
}

void disk_cache_count(struct disk_cache *cache, struct storage_copy_counters *ret)
{
    pthread_mutex_lock(&cache->mutex);
    *ret = cache->counters;
    ret->is_enabled = true;
    ret->is_ready = cache->is_ready;
    ret->bytes = cache->index ? cache->index->used : 0;
    pthread_mutex_unlock(&cache->mutex);
}

/* --- reading --------------------------------------------------------------------------------- */

/*
 * Finds a file that may be read, with one use of it; verifies it if it is small. NULL: there is
 * none, and *ret_outcome says why.
 */
static struct cache_entry *find_trusted(struct disk_cache *cache, const char *hex,
                                        enum disk_cache_outcome *ret_outcome)
{
    struct cache_entry *entry;
    bool is_verifying = false;

    pthread_mutex_lock(&cache->mutex);
    entry = cache->is_ready ? cache_index_find(cache->index, hex) : NULL;
    *ret_outcome = cache->is_ready && !entry ? DISK_CACHE_MISS : DISK_CACHE_BUSY;
    if (entry && (entry->state != CACHE_WHOLE || entry->trust == CACHE_VERIFYING))
        entry = NULL;
    if (entry) {
        entry->users++;
        is_verifying = !is_trusted(entry);
    }
    if (is_verifying)
        entry->trust = CACHE_VERIFYING;
    if (is_verifying && entry->size > AT_ONCE_MAX) {
        disk_cache_push_job(cache, entry);
        is_verifying = false;
        entry = NULL;
    }
    pthread_mutex_unlock(&cache->mutex);
    if (!is_verifying || verify_entry(cache, entry) == 0)
        return entry;
    disk_cache_drop(cache, entry);
    return NULL;
}

/* Opens the file of an entry that was verified. A descriptor or -errno. */
static int open_trusted(struct disk_cache *cache, struct cache_entry *entry)
{
    struct cache_stamp stamp;
    CLEANUP_CLOSE int fd = cache_file_open(cache->directory, entry->hex, entry->size, &stamp);
    bool is_same;

    if (fd < 0) {
        if (is_fault_of_file(fd))
            remove_damaged(cache, entry, fd);
        return steal_fd(&fd);
    }
    pthread_mutex_lock(&cache->mutex);
    is_same = cache_stamp_is_same(&stamp, &entry->stamp);
    if (is_same)
        cache_index_touch(cache->index, entry);
    else if (entry->trust == CACHE_VERIFIED) /* verified before somebody changed it */
        entry->trust = CACHE_UNVERIFIED;
    pthread_mutex_unlock(&cache->mutex);
    return is_same ? steal_fd(&fd) : -ESTALE;
}

static struct disk_cache_file *make_file(struct disk_cache *cache, struct cache_entry *entry)
{
    struct disk_cache_file *file = malloc(sizeof(*file));

    if (!file)
        return NULL;
    *file = (struct disk_cache_file){
        .fd = open_trusted(cache, entry), .size = entry->size, .cache = cache, .entry = entry};
    if (file->fd >= 0)
        return file;
    free(file);
    return NULL;
}

enum disk_cache_outcome disk_cache_open(struct disk_cache *cache, const char *hex,
                                        struct disk_cache_file **ret)
{
    enum disk_cache_outcome outcome;
    struct cache_entry *entry = find_trusted(cache, hex, &outcome);
    struct disk_cache_file *file = entry ? make_file(cache, entry) : NULL;

    pthread_mutex_lock(&cache->mutex);
    if (file)
        cache->counters.hits++;
    else
        cache->counters.misses++;
    if (entry && !file)
        cache_index_drop(cache->index, entry);
    pthread_mutex_unlock(&cache->mutex);
    *ret = file;
    return file ? DISK_CACHE_HIT : outcome;
}

void disk_cache_close(struct disk_cache_file *file)
{
    if (!file)
        return;
    close(file->fd);
    disk_cache_drop(file->cache, file->entry);
    free(file);
}

void disk_cache_distrust(struct disk_cache_file *file)
{
    struct disk_cache *cache = file->cache;
    struct cache_entry *entry = file->entry;
    bool is_first;

    pthread_mutex_lock(&cache->mutex);
    is_first = leave_damaged(cache, entry);
    if (is_first && !entry->is_queued) {
        entry->users++;
        disk_cache_push_job(cache, entry);
    }
    pthread_mutex_unlock(&cache->mutex);
    if (is_first)
        disk_cache_tell(cache, "the disk cache removes %s/%s: it cannot be read",
                        cache->options.directory, entry->hex);
}
