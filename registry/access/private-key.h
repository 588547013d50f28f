#pragma once

#include <stddef.h>

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/storage/storage.h"

/*
 * Keys that all servers of a storage share, below STORAGE_PRIVATE "keys/". Any thread may call
 * these functions; they wait for the storage.
 */

#define PRIVATE_KEYS STORAGE_PRIVATE "keys/"
enum { PRIVATE_KEY_MAX = 4096 }; /* bytes of an object */

/*
 * Reads the object PRIVATE_KEYS name into ret_text, which is empty. 0, STORAGE_NOT_FOUND, or
 * negative.
 */
int private_key_read(struct storage *storage, const char *name, struct secbuf *ret_text,
                     struct error *err) MUST_USE;

/* Creates the object. 0, STORAGE_CONFLICT if it exists already, or negative. */
int private_key_create(struct storage *storage, const char *name, const struct secbuf *text,
                       struct error *err) MUST_USE;

/*
 * Reads the secret with this name and size, or creates it from random bytes. Servers that start at
 * the same moment get the same secret. 0 or negative.
 */
int private_key_load(struct storage *storage, const char *name, size_t size, struct secbuf *ret_key,
                     struct error *err) MUST_USE;
