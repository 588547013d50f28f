#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "registry/api/text.h"
#include "registry/core/store.h"

/*
 * What a list of tags says about a manifest: its type, platforms and size. A manifest with its
 * digest never changes, so summaries are cached, unless the configuration of the image could not be
 * read.
 */
struct summary_cache;

struct summary_cache *summary_cache_new(void);        /* NULL: out of memory */
void summary_cache_free(struct summary_cache *cache); /* accepts NULL */

/* Frees the summaries that nobody has asked for since the last call. */
void summary_cache_drop_unused(struct summary_cache *cache);

/*
 * Adds the members of a summary to an object that has a member already: media_type, bytes,
 * platforms, artifact_type. Of a manifest that is missing or damaged, it adds "missing" or
 * "damaged". 0 or negative. Any thread; reads the storage, so it may wait.
 *
 * platform: what the manifest must be for, such as "linux/arm64", "linux/arm/v7" or just "arm64";
 * "": anything. If it is for something else, nothing is added, and *ret_matches is false.
 */
int summary_add(struct summary_cache *cache, struct store *store, const char *name,
                const struct digest *digest, const char *platform, struct text *text,
                bool *ret_matches, struct error *err) MUST_USE;
