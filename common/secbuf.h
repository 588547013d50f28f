#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/macros.h"

/*
 * A growing run of bytes in libgcrypt's secure memory: locked into RAM where the system allows
 * it, and wiped when it is freed or outgrown. Every secret lives in one, and nowhere else.
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

/* The most that one buffer may hold, in bytes; more is -ENOMEM. */
#define SECBUF_MAX ((size_t)32 << 20)

/* Makes room for `more` bytes after size. 0 or -ENOMEM (the buffer is as before). */
int secbuf_reserve(struct secbuf *buf, size_t more) MUST_USE;

/* Appends a copy of size bytes. 0 or -ENOMEM (the buffer is as before). */
int secbuf_append(struct secbuf *buf, const void *data, size_t size) MUST_USE;

/* Shortens to size bytes and wipes what lay behind; a larger size changes nothing. */
void secbuf_truncate(struct secbuf *buf, size_t size);

/* Wipes, frees and leaves an empty buffer. */
void secbuf_done(struct secbuf *buf);

/* Whether both hold the same bytes; the time depends on the sizes alone. */
bool secbuf_is_equal(const struct secbuf *a, const struct secbuf *b);

/*
 * libgcrypt ends the program where it cannot set itself up for want of memory. What is done before that: the function may
 * only write the line and end the process. NULL: nothing. To be set before the first buffer is used.
 */
void secure_set_last_resort(void (*function)(const char *line));

/* Bare allocations from the same memory, for libraries that take an allocator. NULL if none. */
void *secure_malloc(size_t size);
void secure_free(void *memory);
