#pragma once

#include "registry/storage/s3/s3-private.h"

/*
 * Removes objects in the background, many with each request: the states of uploads that are over.
 * What it cannot remove stays until old uploads are purged. From any thread.
 */
struct remover;

/* Borrows s3. NULL: out of memory. */
struct remover *remover_new(struct s3 *s3);

/* Removes what is left, and ends. Takes NULL. */
void remover_free(struct remover *remover);

/*
 * Has the object at key removed soon. 0, or negative: the caller must remove it (out of memory, or
 * too many are waiting).
 */
int remover_add(struct remover *remover, const char *key) MUST_USE;

/* Whether the object at key counts as removed already. */
bool remover_has(struct remover *remover, const char *key);
