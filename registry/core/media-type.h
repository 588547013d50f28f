#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "registry/spec/manifest.h"

/*
 * Finds the media type that a manifest's bytes show. registry:2 stores no type and answers with
 * this one. If a manifest was pushed with another type, that is stored beside its link; this is
 * possible only if the manifest does not state its type (manifest_parse()).
 */
struct shown_type {
    char name[MANIFEST_TYPE_SIZE];
    bool is_stated;
};

/*
 * Never fails: an unknown type is "application/octet-stream". Takes time linear in size. Any thread
 * may call it.
 */
void media_type_sniff(const void *bytes, size_t size, struct shown_type *ret);

/*
 * A cache of types by digest, so that reading a manifest need not parse it. Its size is fixed. Any
 * thread may use it.
 */
struct type_cache;

struct type_cache *type_cache_new(void); /* NULL: out of memory */
void type_cache_free(struct type_cache *cache);

/* Whether the type is cached; then *ret is set. canonical is the digest of the bytes. */
bool type_cache_find(struct type_cache *cache, const struct digest *canonical,
                     struct shown_type *ret);

/* media_type_sniff() with the cache. canonical is the digest of bytes. */
void type_cache_sniff(struct type_cache *cache, const struct digest *canonical, const void *bytes,
                      size_t size, struct shown_type *ret);
