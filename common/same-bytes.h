#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Compares size bytes in constant time, so that the time does not tell where they differ. */
static inline bool same_bytes(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;
    unsigned char difference = 0;

    for (size_t i = 0; i < size; i++)
        difference |= left[i] ^ right[i];
    return difference == 0;
}
