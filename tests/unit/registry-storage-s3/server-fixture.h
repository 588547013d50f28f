#pragma once

#include "registry/core/store.h"
#include "registry/storage/s3/s3.h"
#include "tests/unit/registry-storage-s3/small-store.h"

/*
 * Servers of a registry in one bucket of a small store. Failures end the test. A server is ended
 * with store_close(), and after the last of them, servers_end().
 */
struct small_store *servers_start(void);
void servers_end(void);

/* Opens the registry as another process, with the access key "AK-<number>". */
struct store *server_open(unsigned number);

/* The same with a disk cache of 16 MiB, to read only: it takes no lease. */
struct store *server_open_with_cache(unsigned number, const char *directory);

/* The same with parts of that size. */
struct store *server_open_with_parts(unsigned number, size_t part_size);

/* The same with the sizes of the options; the rest of them is the fixture's. */
struct store *server_open_with_options(unsigned number, const struct s3_options *options);
