#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * malloc() and its relatives for libcurl and libexpat, which do not wipe what they free. On a
 * thread that handles secrets these functions wipe it.
 */
enum memory_use { MEMORY_USUAL, MEMORY_OF_SECRETS };

/* For the calling thread, from now on. Returns what it was before. */
enum memory_use wiping_memory_set(enum memory_use use);

/*
 * From now on the calling thread keeps a few large blocks that it frees, and uses them again. glibc
 * would give each back to the system, which interrupts the other processors for that, and faults
 * for each page when it is used again. wiping_memory_drop_spares() frees them; before the thread
 * ends, it must be called with false.
 */
void wiping_memory_keep_spares(void);
void wiping_memory_drop_spares(bool keeps_more);

void *wiping_malloc(size_t size);
void *wiping_calloc(size_t count, size_t size);
void *wiping_realloc(void *memory, size_t size);
char *wiping_strdup(const char *text);
void wiping_free(void *memory);
