#pragma once

#include "registry/core/store.h"

/* The manifests of a repository, under each digest that they were pushed by. */

/* The largest manifest that is read; registry:2 accepts pushes up to 4 MiB. */
enum { MANIFEST_SIZE_LIMIT = 64 << 20 };

struct manifest;

/* Finds the canonical digest of a manifest of the repository. STORE_NOT_FOUND, STORE_WOULD_WAIT. */
int store_find_revision(struct store *store, const char *name, const struct digest *digest,
                        enum store_waiting waiting, struct digest *ret, struct error *err) MUST_USE;

/* Reads and parses a manifest; STORE_NOT_FOUND. *ret is the caller's, free with manifest_done(). */
int store_parse_manifest(struct store *store, const char *name, const struct digest *digest,
                         struct manifest *ret, struct error *err) MUST_USE;

/*
 * Lists the sha512 digests of a repository with their canonical sha256 digests: entries with the
 * same index are a pair. For a repository without sha512 digests, which is usual, this costs one
 * read.
 */
int store_list_aliases(struct store *store, const char *name, struct store_digests *ret_aliases,
                       struct store_digests *ret_canonical, struct error *err) MUST_USE;
