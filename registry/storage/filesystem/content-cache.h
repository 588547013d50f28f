#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/macros.h"

/*
 * A cache of the bytes of small files. An entry is used only while its file is unchanged
 * (registry/storage/filesystem/stamp.h). Callable from any thread.
 */
struct content_cache;

enum { CONTENT_CACHE_SIZE_MAX = 64 << 10 }; /* of a file; larger ones are not cached */

struct content_cache *content_cache_new(void);        /* NULL: out of memory */
void content_cache_free(struct content_cache *cache); /* takes NULL */

/* Numbers of calls of content_cache_get() that found the bytes, and that did not. */
void content_cache_count(const struct content_cache *cache, uint64_t *ret_hits,
                         uint64_t *ret_misses);

/*
 * Returns 0 and the bytes of key, if they are cached for a file with that stamp; *ret_bytes is as
 * from file_read_all(). After -ENOENT or -ENOMEM the caller has to read the file.
 */
int content_cache_get(struct content_cache *cache, const char *key, const struct stat *stamp,
                      char **ret_bytes, size_t *ret_size) MUST_USE;

/*
 * Caches the bytes of a file, which were read after its stamp was taken. Does nothing if memory is
 * exhausted.
 */
void content_cache_put(struct content_cache *cache, const char *key, const struct stat *stamp,
                       const char *bytes, size_t size);
