#pragma once

#include "registry/core/store.h"

/* The bytes of blobs, in whichever repository (registry/core/blobs.c). */

/* Opens the bytes of a blob, whichever repository has it. STORE_NOT_FOUND, STORE_WOULD_WAIT. */
int store_open_bytes(struct store *store, const struct digest *canonical,
                     enum store_waiting waiting, struct store_blob *ret_blob,
                     struct store_reader **ret, struct error *err) MUST_USE;

/*
 * Checks the existing bytes of a digest, which should have that size. Returns 0 with *ret if they
 * match; STORE_NOT_FOUND; STORE_DIGEST_MISMATCH, also with *ret, if they are damaged. May read all
 * bytes.
 */
int store_check_existing(struct store *store, const struct digest *canonical, uint64_t size,
                         struct store_blob *ret, struct error *err) MUST_USE;

/*
 * Notes that the bytes at a digest were hashed just now, so that their first reader does not hash
 * them again. Does nothing if that would take a request to a remote storage.
 */
void store_note_checked(struct store *store, const struct digest *canonical);
