#pragma once

#include "registry/storage/storage.h"

/*
 * The driver of files below root_directory/docker/registry/v2, which is made if need be. It keeps
 * others out as store_open() says. *ret is the caller's, free with (*ret)->type->close().
 */
int filesystem_open(const char *root_directory, enum driver_sharing sharing, struct driver **ret,
                    struct error *err) MUST_USE;
