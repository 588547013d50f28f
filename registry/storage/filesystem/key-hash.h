#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * FNV-1a, eight bytes at a time. Deliberate collisions only make a cache useless: the server
 * becomes as slow as it would be without it.
 */
static inline uint64_t key_hash(const char *key)
{
    uint64_t hash = 14695981039346656037u, word;
    size_t size = strlen(key);

    for (; size >= sizeof(word); key += sizeof(word), size -= sizeof(word)) {
        memcpy(&word, key, sizeof(word));
        hash = (hash ^ word) * 1099511628211u;
        hash ^= hash >> 32;
    }
    for (; size > 0; key++, size--)
        hash = (hash ^ (unsigned char)*key) * 1099511628211u;
    return hash ^ hash >> 29;
}
