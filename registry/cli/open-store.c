#include "registry/cli/open-store.h"

int open_store(const char *root_directory, enum filesystem_sharing sharing, struct store **ret,
               struct error *err)
{
    struct storage *storage;
    int r = filesystem_open(root_directory, sharing, &storage, err);

    return r < 0 ? r : store_open(storage, ret, err);
}
