#include "registry/storage/s3/wiping-memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { SPARES_MAX = 16, SPARE_LEAST = 64 << 10 };

struct spares {
    bool are_kept;
    size_t count;
    void *blocks[SPARES_MAX];
};

static _Thread_local enum memory_use current;
static _Thread_local struct spares spares;

enum memory_use wiping_memory_set(enum memory_use use)
{
    enum memory_use before = current;

    current = use;
    return before;
}

void wiping_memory_keep_spares(void)
{
    spares.are_kept = true;
}

void wiping_memory_drop_spares(bool keeps_more)
{
    while (spares.count > 0)
        free(spares.blocks[--spares.count]);
    spares.are_kept = keeps_more;
}

/* A spare block of that size that is not much larger; NULL: there is none. */
static void *take_spare(size_t size)
{
    for (size_t i = 0; i < spares.count; i++) {
        void *block = spares.blocks[i];
        size_t room = malloc_usable_size(block);

        if (room < size || room / 2 > size)
            continue;
        spares.blocks[i] = spares.blocks[--spares.count];
        return block;
    }
    return NULL;
}

static bool keep_spare(void *block, size_t size)
{
    if (!spares.are_kept || size < SPARE_LEAST || spares.count == SPARES_MAX)
        return false;
    spares.blocks[spares.count++] = block;
    return true;
}

void *wiping_malloc(size_t size)
{
    void *spare = size >= SPARE_LEAST ? take_spare(size) : NULL;

    return spare ? spare : malloc(size);
}

void *wiping_calloc(size_t count, size_t size)
{
    return calloc(count, size);
}

char *wiping_strdup(const char *text)
{
    return strdup(text);
}

void wiping_free(void *memory)
{
    size_t size = memory ? malloc_usable_size(memory) : 0;

    if (memory && current == MEMORY_OF_SECRETS)
        explicit_bzero(memory, size);
    if (!keep_spare(memory, size))
        free(memory);
}

/* realloc() may leave a copy behind. */
void *wiping_realloc(void *memory, size_t size)
{
    size_t old_size;
    void *new;

    new = wiping_malloc(size);
    if (!new || !memory)
        return new;
    old_size = malloc_usable_size(memory);
    memcpy(new, memory, old_size < size ? old_size : size);
    wiping_free(memory);
    return new;
}
