#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/digest.h"
#include "registry/spec/manifest.h"

/*
 * The media type that a manifest shows by itself. registry:2 keeps none, and so answers with this;
 * a manifest pushed as something else has its type written beside its link. That can only be one that does not state
 * its type itself (manifest_parse()).
 */
struct shown_type {
    char name[MANIFEST_TYPE_SIZE];
    bool is_stated;
};

/* Never fails: what it cannot tell is "application/octet-stream". Linear in size; from any thread. */
void media_type_sniff(const void *bytes, size_t size, struct shown_type *ret);

/* What was sniffed before, by digest, so that reading a manifest need not parse it; of bounded size. Any thread. */
struct type_cache;

struct type_cache *type_cache_new(void); /* NULL: out of memory */
void type_cache_free(struct type_cache *cache);

/* Whether it is there; then with it in *ret. canonical is the digest of the bytes. */
bool type_cache_find(struct type_cache *cache, const struct digest *canonical, struct shown_type *ret);

/* media_type_sniff(), but out of the cache where it is there; canonical is the digest of bytes. */
void type_cache_sniff(struct type_cache *cache, const struct digest *canonical, const void *bytes, size_t size,
                      struct shown_type *ret);
