#include "registry/cli/offline.h"

#include "registry/cli/open-store.h"

int offline_change_identity(const struct settings *settings, struct confinement *ret,
                            struct error *err)
{
    *ret = (struct confinement){
        .user = settings->confinement.user,
        .becomes_owner = true,
        .storage = settings->storage.root_directory,
    };
    return settings->confinement.is_enabled ? confine_identity(ret, err) : 0;
}

int offline_confine(const struct settings *settings, const struct confinement *confinement,
                    struct error *err)
{
    return settings->confinement.is_enabled ? confine_rest(confinement, err) : 0;
}

int offline_open_store(const struct settings *settings, struct store **ret, struct error *err)
{
    CLEANUP(store_closep) struct store *store = NULL;
    struct confinement confinement;
    int r = offline_change_identity(settings, &confinement, err);

    if (r == 0)
        r = open_store(settings->storage.root_directory, FILESYSTEM_LOOKS, &store, err);
    if (r == 0)
        r = offline_confine(settings, &confinement, err);
    if (r == 0)
        *ret = steal_ptr(&store);
    return r;
}
