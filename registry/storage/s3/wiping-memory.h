#pragma once

#include <stddef.h>

/*
 * malloc() and its relatives for libcurl and libexpat, which do not wipe what they free. On a thread
 * that handles secrets these functions wipe it.
 */
enum memory_use { MEMORY_USUAL, MEMORY_OF_SECRETS };

/* For the calling thread, from now on. Returns what it was before. */
enum memory_use wiping_memory_set(enum memory_use use);

void *wiping_malloc(size_t size);
void *wiping_calloc(size_t count, size_t size);
void *wiping_realloc(void *memory, size_t size);
char *wiping_strdup(const char *text);
void wiping_free(void *memory);
