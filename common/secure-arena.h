#pragma once

#include <stddef.h>

#include "common/macros.h"

/*
 * Many small pieces of secure memory that live and die together. The pool itself searches its
 * blocks one by one, so a hundred thousand pieces of their own would take it minutes.
 */
struct secure_arena;

/*
 * Takes size bytes, aligned for pointers and double, from *arena (NULL for a new one), which may be
 * replaced. The piece is valid until the arena is freed. NULL if memory is out.
 */
void *secure_arena_take(struct secure_arena **arena, size_t size) MUST_USE;

/*
 * The same with ordinary memory, for data that is not secret. All pieces of an arena are of one kind, that
 * of the first.
 */
void *secure_arena_take_public(struct secure_arena **arena, size_t size) MUST_USE;

/* Frees the arena with all its pieces, after wiping what is secure memory; takes NULL. */
void secure_arena_free(struct secure_arena *arena);
