#include "registry/storage/s3/wiping-memory.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local enum memory_use current;

enum memory_use wiping_memory_set(enum memory_use use)
{
    enum memory_use before = current;

    current = use;
    return before;
}

void *wiping_malloc(size_t size)
{
    return malloc(size);
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
    if (memory && current == MEMORY_OF_SECRETS)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

/* realloc() may leave a copy behind. */
void *wiping_realloc(void *memory, size_t size)
{
    size_t old_size;
    void *new;

    new = malloc(size);
    if (!new || !memory)
        return new;
    old_size = malloc_usable_size(memory);
    memcpy(new, memory, old_size < size ? old_size : size);
    wiping_free(memory);
    return new;
}
