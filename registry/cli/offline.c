#include "registry/cli/offline.h"

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
