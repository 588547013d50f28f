#pragma once

#include "registry/storage/storage.h"

/* Which other processes may use the storage at the same time. */
enum filesystem_sharing {
    FILESYSTEM_SERVES, /* any; missing directories are created */
    FILESYSTEM_LOOKS,  /* any; nothing is created */
    FILESYSTEM_EXCLUSIVE,  /* none: opening fails with EBUSY if another process has it open, and then
                          prevents others from opening it */
};

/*
 * Opens the backend that keeps objects as files below root_directory/docker/registry/v2. Links on
 * the way to root_directory are followed. From there to v2, links that belong to root or to our own
 * user are followed. Below v2 no link is followed. *ret is owned by the caller, free with
 * storage_close().
 */
int filesystem_open(const char *root_directory, enum filesystem_sharing sharing,
                    struct storage **ret, struct error *err) MUST_USE;
