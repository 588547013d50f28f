#pragma once

#include "registry/core/store.h"
#include "registry/storage/filesystem/filesystem.h"

/*
 * Opens the store of the storage that a configuration names. *ret is owned by the caller, free with
 * store_close().
 */
int open_store(const char *root_directory, enum filesystem_sharing sharing, struct store **ret,
               struct error *err) MUST_USE;
