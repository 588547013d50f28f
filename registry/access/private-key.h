#pragma once

#include <stddef.h>

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/storage/storage.h"

/* Keys that all servers of a storage share, below STORAGE_PRIVATE "keys/". From any thread; waits
 * for the storage. */

#define PRIVATE_KEYS STORAGE_PRIVATE "keys/"
enum { PRIVATE_KEY_MAX = 4096 }; /* bytes of an object */

/*
 * Reads the object PRIVATE_KEYS name into ret_text, which is empty. 0, STORAGE_NOT_FOUND, or
 * negative.
 */
int private_key_read(struct storage *storage, const char *name, struct secbuf *ret_text,
                     struct error *err) MUST_USE;

/* Creates the object. 0, STORAGE_CONFLICT if there is one already, or negative. */
int private_key_create(struct storage *storage, const char *name, const struct secbuf *text,
                       struct error *err) MUST_USE;

/*
 * The secret of that name, of size bytes; it is created from random bytes if there is none. Servers
 * that start at the same moment get the same one. 0 or negative.
 */
int private_key_load(struct storage *storage, const char *name, size_t size, struct secbuf *ret_key,
                     struct error *err) MUST_USE;
