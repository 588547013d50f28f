#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"

/*
 * Manifests in memory, for a remote storage. Their bytes were compared with their digests, so they
 * never become wrong; whether a repository has a manifest is another question, which only the
 * storage can answer. The exception is a manifest that a tag names: manifest_cache_has_link().
 * docs/storage-s3.md says why. Any thread may use it.
 */
struct manifest_cache;

enum {
    MANIFEST_CACHE_BYTES = 16 << 20,
    MANIFEST_CACHE_LARGEST = 256 << 10, /* larger manifests are not kept */
    MANIFEST_CACHE_LINK_S = 60,
};

struct manifest_cache *manifest_cache_new(void); /* NULL: out of memory */
void manifest_cache_free(struct manifest_cache *cache); /* accepts NULL */

/* *ret_bytes is owned by the caller, free with free(); a NUL, which size does not count, follows. */
bool manifest_cache_find(struct manifest_cache *cache, const struct digest *canonical,
                         char **ret_bytes, size_t *ret_size);

/* Keeps a copy of the bytes, which match the digest. */
void manifest_cache_add(struct manifest_cache *cache, const struct digest *canonical,
                        const char *bytes, size_t size);

/*
 * Whether a link of the repository to the manifest was found less than MANIFEST_CACHE_LINK_S ago.
 * found_ms is when it was looked for, by monotonic_ms().
 */
void manifest_cache_note_link(struct manifest_cache *cache, const char *repository,
                              const struct digest *digest, int64_t found_ms);
bool manifest_cache_has_link(struct manifest_cache *cache, const char *repository,
                             const struct digest *digest);
