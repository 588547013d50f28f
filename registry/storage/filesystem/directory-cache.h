#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "common/macros.h"
#include "registry/storage/storage.h"

/*
 * The names in directories that have very many, so that a page of them costs no more than in a
 * small one. As in content-cache.h they are used only while the directory shows no change, and are
 * not kept if it changed a moment ago. From any thread.
 */
struct directory_cache;

struct directory_cache *directory_cache_new(void);        /* NULL: out of memory */
void directory_cache_free(struct directory_cache *cache); /* takes NULL */

/*
 * Up to limit names after that one (NULL: from the first), sorted bytewise. 0 with *ret the
 * caller's (storage_list_done); -ENOENT if the names of a directory with that stamp are not known;
 * -ENOMEM.
 */
int directory_cache_get(struct directory_cache *cache, const char *key, const struct stat *stamp,
                        const char *after, size_t limit, struct storage_list *ret) MUST_USE;

/* Keeps a copy of all names of the directory, if they are many. Without memory it does nothing. */
void directory_cache_put(struct directory_cache *cache, const char *key, const struct stat *stamp,
                         const struct storage_list *names);

/* Reduces a sorted list of all names to the page that directory_cache_get() would answer. */
void storage_list_cut(struct storage_list *list, const char *after, size_t limit);
