#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "common/macros.h"

/*
 * What was read of small files lately, handed out for a file that is as it was then (registry/storage/filesystem/stamp.h), and for no
 * other. From any thread.
 */
struct content_cache;

enum { CONTENT_CACHE_SIZE_MAX = 64 << 10 }; /* of a content; larger ones are not kept */

struct content_cache *content_cache_new(void); /* NULL: out of memory */
void content_cache_free(struct content_cache *cache); /* takes NULL */

/*
 * 0 with the content of key, if it is known for a file that looks like that; *ret_bytes as of file_read_all(). -ENOENT
 * or -ENOMEM: it is to be read.
 */
int content_cache_get(struct content_cache *cache, const char *key, const struct stat *stamp, char **ret_bytes,
                      size_t *ret_size) MUST_USE;

/* Keeps a copy of what was read of a file after it looked like that. Nothing happens without memory. */
void content_cache_put(struct content_cache *cache, const char *key, const struct stat *stamp, const char *bytes,
                       size_t size);
