#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "common/macros.h"
#include "registry/storage/storage.h"

/*
 * A cache of the names in large directories, so that a page of names costs no more than in a small
 * one. As in content-cache.h, the names are used only while the directory is unchanged, and are not
 * cached if it changed a moment ago. Callable from any thread.
 */
struct directory_cache;

struct directory_cache *directory_cache_new(void);        /* NULL: out of memory */
void directory_cache_free(struct directory_cache *cache); /* takes NULL */

/*
 * Returns 0 and up to limit names after the name in after (NULL: from the first), sorted by bytes;
 * free *ret with storage_list_done(). -ENOENT if the names of a directory with that stamp are not
 * cached, or -ENOMEM.
 */
int directory_cache_get(struct directory_cache *cache, const char *key, const struct stat *stamp,
                        const char *after, size_t limit, struct storage_list *ret) MUST_USE;

/* Caches all names of the directory, if it is large. Does nothing if memory is exhausted. */
void directory_cache_put(struct directory_cache *cache, const char *key, const struct stat *stamp,
                         const struct storage_list *names);

/* Reduces a sorted list of all names to the page that directory_cache_get() would return. */
void storage_list_cut(struct storage_list *list, const char *after, size_t limit);
