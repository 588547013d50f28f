#pragma once

#include "registry/storage/storage.h"

/* Which other processes may use the storage at the same time. */
enum filesystem_sharing {
    FILESYSTEM_SERVES, /* others may; missing directories are created */
    FILESYSTEM_LOOKS,  /* others may; nothing is created */
    FILESYSTEM_ALONE,  /* none: fails with EBUSY while another has it, and makes later calls in
                          others fail with EBUSY */
};

/*
 * The backend that keeps objects as files below root_directory/docker/registry/v2. Up to there,
 * symbolic links are followed: all of them on the way to root_directory, and below it those of root
 * and of our own user. Below v2 no link is followed. *ret is the caller's, free with
 * storage_close().
 */
int filesystem_open(const char *root_directory, enum filesystem_sharing sharing,
                    struct storage **ret, struct error *err) MUST_USE;
