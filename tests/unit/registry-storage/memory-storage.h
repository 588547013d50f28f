#pragma once

#include "registry/storage/storage.h"

/*
 * A backend that keeps everything in memory, to prove that nothing above the contract assumes files. It has no directories,
 * no file descriptors, and its clock stands still until it is moved.
 */
struct storage *memory_storage_new(void);

/* From now on whoever must not wait is told so by everything that reads, as by a storage far away. */
void memory_storage_set_far(struct storage *storage, bool is_far);

/* Moves the clock, which starts at 1000000000. */
void memory_storage_pass_time(struct storage *storage, int64_t seconds);

/* The claims and uploads that are held now are lost, as after the leases of a server that stood still. */
void memory_storage_expire_claims(struct storage *storage);

/* Replaces or adds an object behind the registry's back. */
void memory_storage_set(struct storage *storage, const char *key, const void *data, size_t size);
