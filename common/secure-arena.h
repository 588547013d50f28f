#pragma once

#include <stddef.h>

#include "common/macros.h"

/*
 * Allocates many small pieces of secure memory that are freed together. libgcrypt's pool searches
 * its blocks linearly, so a hundred thousand single allocations would take minutes.
 */
struct secure_arena;

/*
 * Allocates size bytes, aligned for pointers and double, from *arena (NULL for a new one), which
 * may be replaced. The piece is valid until the arena is freed. NULL if memory is exhausted.
 */
void *secure_arena_take(struct secure_arena **arena, size_t size) MUST_USE;

/*
 * The same in ordinary memory, for data that is not secret. The first piece decides for all pieces
 * of an arena.
 */
void *secure_arena_take_public(struct secure_arena **arena, size_t size) MUST_USE;

/* Frees the arena and all its pieces, and wipes secure memory first. Accepts NULL. */
void secure_arena_free(struct secure_arena *arena);
