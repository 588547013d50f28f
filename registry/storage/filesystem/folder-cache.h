#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "common/folder-names.h"
#include "common/macros.h"

/*
 * The names in folders that have very many, so that a page of them costs no more than in a small one. As with
 * content-cache.h they are only used for the folder as it is now, and not kept of one that changed a moment ago.
 *
 * From any thread.
 */
struct folder_cache;

struct folder_cache *folder_cache_new(void); /* NULL: out of memory */
void folder_cache_free(struct folder_cache *cache); /* takes NULL */

/*
 * Up to n names after that one (NULL: from the first), sorted bytewise. 0 with *ret the caller's (folder_names_done; its
 * types are not known), or -ENOENT where the names of a folder that looks like that are not known, or -ENOMEM.
 */
int folder_cache_get(struct folder_cache *cache, const char *key, const struct stat *stamp, const char *after, size_t n,
                     struct folder_names *ret) MUST_USE;

/* Keeps a copy of all names of the folder, if they are many. Nothing happens without memory. */
void folder_cache_put(struct folder_cache *cache, const char *key, const struct stat *stamp,
                      const struct folder_names *names);

/* Likewise of a list in hand: it becomes what folder_cache_get() would answer. */
void folder_names_cut(struct folder_names *names, const char *after, size_t n);
