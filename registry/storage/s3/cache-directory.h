#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/error.h"
#include "registry/storage/s3/cache-index.h"

/*
 * The directory of a disk cache: "<hex>" is the blob with that sha256 digest, "filling-<hex>" a
 * download that is being written, "lock" belongs to the process that uses the directory. Other
 * names are ignored. Functions on an open directory may be called from any thread.
 */
enum { CACHE_NAME_SIZE = sizeof("filling-") + 64 };

/*
 * Opens the directory, and creates it with mode 0700 if only its last component is missing. It must
 * belong to this user, and nobody else may be able to write there. *ret is a descriptor, owned by
 * the caller. 0 or negative.
 */
int cache_directory_open(const char *path, int *ret, struct error *err) MUST_USE;

/*
 * Takes the lock without waiting, for as long as *ret is open. 0; -EWOULDBLOCK if another process
 * has it; or another -errno.
 */
int cache_directory_lock(int directory, int *ret) MUST_USE;

/*
 * Adds the blobs that are there to an empty index, in the order in which they were used. Removes
 * what is left of downloads, and the blobs that do not fit, the oldest first. 0 or -errno.
 */
int cache_directory_scan(int directory, struct cache_index *index) MUST_USE;

/* The name of the file of a download. */
void cache_format_filling(const char *hex, char ret_name[CACHE_NAME_SIZE]);

void cache_stamp_of(const struct stat *st, struct cache_stamp *ret);
bool cache_stamp_is_same(const struct cache_stamp *a, const struct cache_stamp *b);

/*
 * Opens the file of a blob for reading. A descriptor, owned by the caller, or -errno: -EBADMSG if
 * it is no regular file of that size.
 */
int cache_file_open(int directory, const char *name, uint64_t size,
                    struct cache_stamp *ret_stamp) MUST_USE;

/*
 * Compares an open file of that size with a digest. Reads all of it, unless *is_ending becomes true
 * (-ECANCELED; an atomic variable). 0, -EBADMSG if it does not match, or another -errno.
 */
int cache_file_verify(int fd, const char *hex, uint64_t size, const bool *is_ending) MUST_USE;
