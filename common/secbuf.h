#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/macros.h"

/*
 * A growing buffer in libgcrypt's secure memory: locked into RAM if the system allows it, and wiped
 * when it is freed or moved. Secrets are kept only in such buffers.
 *
 *     CLEANUP(secbuf_done) struct secbuf secret = {0};
 *
 * data is NULL while the capacity is 0. The bytes may hold NULs and are not terminated.
 */
struct secbuf {
    unsigned char *data;
    size_t size;
    size_t capacity;
};

/* The largest size of a buffer in bytes; more is -ENOMEM. */
#define SECBUF_MAX ((size_t)32 << 20)

/* Reserves `more` bytes after size. 0, or -ENOMEM with the buffer unchanged. */
int secbuf_reserve(struct secbuf *buf, size_t more) MUST_USE;

/* Appends a copy of size bytes. 0, or -ENOMEM with the buffer unchanged. */
int secbuf_append(struct secbuf *buf, const void *data, size_t size) MUST_USE;

/* Truncates to size bytes and wipes the rest; a larger size changes nothing. */
void secbuf_truncate(struct secbuf *buf, size_t size);

/* Wipes, frees and leaves an empty buffer. */
void secbuf_done(struct secbuf *buf);

/* Whether both hold the same bytes. The time depends only on the sizes. */
bool secbuf_is_equal(const struct secbuf *a, const struct secbuf *b);

/*
 * Sets the function to call before libgcrypt ends the program, which it does if it cannot allocate
 * its own memory. The function may only print the line and end the process. NULL: none. Must be set
 * before the first buffer is used.
 */
void secure_set_last_resort(void (*function)(const char *line));

/* Allocates from the same memory, for libraries that take an allocator. NULL if it is exhausted. */
void *secure_malloc(size_t size);
void secure_free(void *memory);
