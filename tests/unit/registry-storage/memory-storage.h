#pragma once

#include "registry/storage/storage.h"

/*
 * A backend that keeps everything in memory, to prove that nothing above the contract assumes
 * files. It has no directories and no file descriptors, and its clock changes only when a test sets
 * it.
 */
struct storage *memory_storage_new(void);

/*
 * From now on all reads by callers that must not wait answer "would wait", as with a remote
 * storage.
 */
void memory_storage_set_far(struct storage *storage, bool is_far);

/* Advances the clock, which starts at 1000000000. */
void memory_storage_pass_time(struct storage *storage, int64_t seconds);

/* Drops all current claims and uploads, as when a stalled server's leases expire. */
void memory_storage_expire_claims(struct storage *storage);

/* Replaces or adds an object, as another program would. */
void memory_storage_set(struct storage *storage, const char *key, const void *data, size_t size);
