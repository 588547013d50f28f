#include "registry/cli/offline.h"

#include <errno.h>

static void bucket_freep(struct bucket **bucket)
{
    bucket_free(*bucket);
}

static int change_identity(const struct settings *settings, struct confinement *confinement,
                           struct error *err)
{
    confinement->user = settings->confinement.user;
    confinement->becomes_owner = true;
    if (!settings->storage.s3.is_enabled)
        confinement->storage = settings->storage.root_directory;
    return settings->confinement.is_enabled ? confine_identity(confinement, err) : 0;
}

int offline_change_identity(const struct settings *settings, struct error *err)
{
    struct confinement confinement = {0};

    return change_identity(settings, &confinement, err);
}

static int confine(const struct settings *settings, const struct confinement *confinement,
                   struct error *err)
{
    return settings->confinement.is_enabled ? confine_rest(confinement, err) : 0;
}

static int open_directory(const struct settings *settings, bool *is_shared, struct store **ret,
                          struct error *err)
{
    int r = *is_shared ? -EBUSY : open_store(settings, NULL, FILESYSTEM_EXCLUSIVE, ret, err);

    if (r != -EBUSY)
        return r;
    *is_shared = true;
    return open_store(settings, NULL, FILESYSTEM_LOOKS, ret, err);
}

int offline_open_store_alone(const struct settings *settings, bool *is_shared, struct store **ret,
                             struct error *err)
{
    CLEANUP(store_closep) struct store *store = NULL;
    CLEANUP(bucket_freep) struct bucket *bucket = NULL;
    struct confinement confinement = {0};
    int r = change_identity(settings, &confinement, err);

    if (r == 0)
        r = open_store_prepare(settings, &bucket, err);
    if (r < 0)
        return r;
    open_store_allow(settings, bucket, &confinement);
    *is_shared = *is_shared || bucket;
    if (!bucket)
        r = open_directory(settings, is_shared, &store, err);
    if (r == 0)
        r = confine(settings, &confinement, err);
    if (r == 0 && bucket)
        r = open_store(settings, steal_ptr(&bucket), FILESYSTEM_LOOKS, &store, err);
    if (r == 0)
        *ret = steal_ptr(&store);
    return r;
}

int offline_open_store(const struct settings *settings, struct store **ret, struct error *err)
{
    bool is_shared = true;

    return offline_open_store_alone(settings, &is_shared, ret, err);
}
