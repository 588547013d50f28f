/*
 * An arena is a list of blocks, each twice as large as the one before, which are divided into
 * pieces.
 */
#include "common/secure-arena.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/secbuf.h"

enum { FIRST_BLOCK = 4 << 10, LARGEST_BLOCK = 4 << 20, ALIGNMENT = 8 };

struct secure_arena {
    struct secure_arena *earlier;
    size_t used, size;
    bool is_public;
    /* aligned to ALIGNMENT, like the struct; libgcrypt guarantees no more */
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

static struct secure_arena *add_block(struct secure_arena *earlier, size_t least, bool is_public)
{
    size_t size = earlier ? earlier->size * 2 : FIRST_BLOCK;
    struct secure_arena *block;

    if (size > LARGEST_BLOCK)
        size = LARGEST_BLOCK;
    if (size < least)
        size = least;
    block = is_public ? malloc(sizeof(*block) + size) : secure_malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    *block = (struct secure_arena){.earlier = earlier, .size = size, .is_public = is_public};
    return block;
}

static void *take(struct secure_arena **arena, size_t size, bool is_public)
{
    struct secure_arena *block = *arena;
    void *piece;

    if (size > SECBUF_MAX)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!block || size > block->size - block->used) {
        block = add_block(block, size, is_public);
        if (!block)
            return NULL;
        *arena = block;
    }
    piece = block->bytes + block->used;
    block->used += size;
    return piece;
}

void *secure_arena_take(struct secure_arena **arena, size_t size)
{
    return take(arena, size, false);
}

void *secure_arena_take_public(struct secure_arena **arena, size_t size)
{
    return take(arena, size, true);
}

void secure_arena_free(struct secure_arena *arena)
{
    while (arena) {
        struct secure_arena *earlier = arena->earlier;

        if (arena->is_public)
            free(arena);
        else
            secure_free(arena);
        arena = earlier;
    }
}
