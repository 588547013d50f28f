#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/macros.h"

/*
 * The bytes of small files that were read lately, used only for a file that has not changed since
 * then (registry/storage/filesystem/stamp.h). From any thread.
 */
struct content_cache;

enum { CONTENT_CACHE_SIZE_MAX = 64 << 10 }; /* of a file; larger ones are not cached */

struct content_cache *content_cache_new(void);        /* NULL: out of memory */
void content_cache_free(struct content_cache *cache); /* takes NULL */

/* How many calls of content_cache_get() found the bytes, and how many did not. */
void content_cache_count(const struct content_cache *cache, uint64_t *ret_hits,
                         uint64_t *ret_misses);

/*
 * 0 with the bytes of key, if they are cached for a file with that stamp; *ret_bytes as of
 * file_read_all(). -ENOENT or -ENOMEM: the file has to be read.
 */
int content_cache_get(struct content_cache *cache, const char *key, const struct stat *stamp,
                      char **ret_bytes, size_t *ret_size) MUST_USE;

/*
 * Caches the bytes of a file that were read after its stamp was taken. Does nothing if memory is
 * out.
 */
void content_cache_put(struct content_cache *cache, const char *key, const struct stat *stamp,
                       const char *bytes, size_t size);
