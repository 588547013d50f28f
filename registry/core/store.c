/*
 * Opening the store, and the locks: what must not change between a look at the repository and the
 * change that follows from it.
 */
#include "registry/core/store.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "registry/core/checked-blobs.h"
#include "registry/core/media-type.h"
#include "registry/core/store-private.h"
#include "registry/core/upload-states.h"
#include "registry/storage/filesystem/filesystem.h"

static int init_locks(struct store *store)
{
    int r = 0;

    for (int i = 0; r == 0 && i < STORE_LOCKS; i++) {
        r = pthread_mutex_init(&store->turns[i], NULL);
        if (r == 0)
            r = pthread_rwlock_init(&store->locks[i], NULL);
    }
    return -r;
}

int store_new(struct driver *driver, struct store **ret, struct error *err)
{
    CLEANUP(store_closep) struct store *store = calloc(1, sizeof(*store));

    if (!store) {
        driver->type->close(driver);
        return error_set_oom(err);
    }
    store->driver = driver;
    store->uploads = upload_states_new();
    store->types = type_cache_new();
    store->indexed = name_set_new();
    store->checked = checked_blobs_new();
    if (!store->checked || !store->uploads || !store->types || !store->indexed || init_locks(store) < 0)
        return error_set_oom(err);
    *ret = steal_ptr(&store);
    return 0;
}

int store_open(const char *root_directory, enum store_sharing sharing, struct store **ret, struct error *err)
{
    static const enum driver_sharing as[] = {
        [STORE_SERVES] = DRIVER_SERVES, [STORE_LOOKS] = DRIVER_LOOKS, [STORE_ALONE] = DRIVER_ALONE,
    };
    struct driver *driver;
    int r = filesystem_open(root_directory, as[sharing], &driver, err);

    return r < 0 ? r : store_new(driver, ret, err);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    upload_states_free(store->uploads);
    type_cache_free(store->types);
    name_set_free(store->indexed);
    checked_blobs_free(store->checked);
    store->driver->type->close(store->driver);
    free(store);
}

void store_closep(struct store **store)
{
    store_close(*store);
}

int store_check(struct store *store, struct error *err)
{
    return store->driver->type->check(store->driver, err);
}

/* --- locks ------------------------------------------------------------------------------- */

static size_t find_lock(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a: it only spreads */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash % STORE_LOCKS;
}

/*
 * Everybody takes the turn before the lock and gives it back after. A delete that waits for readers to finish holds the
 * turn, so that no new reader overtakes it: among many pushes it would otherwise wait forever, because POSIX does not say
 * whom a read-write lock prefers, and musl's prefers readers.
 *
 * Neither can fail: no thread takes a lock that it holds.
 */
static pthread_rwlock_t *take_lock(struct store *store, const char *name, int (*take)(pthread_rwlock_t *))
{
    size_t i = find_lock(name);

    if (pthread_mutex_lock(&store->turns[i]) != 0 || take(&store->locks[i]) != 0 ||
        pthread_mutex_unlock(&store->turns[i]) != 0)
        abort();
    return &store->locks[i];
}

pthread_rwlock_t *store_lock_shared(struct store *store, const char *name)
{
    return take_lock(store, name, pthread_rwlock_rdlock);
}

pthread_rwlock_t *store_lock_alone(struct store *store, const char *name)
{
    return take_lock(store, name, pthread_rwlock_wrlock);
}

void store_unlock(pthread_rwlock_t **lock)
{
    if (*lock)
        pthread_rwlock_unlock(*lock);
}
