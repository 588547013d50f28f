#pragma once

#include <stddef.h>

/* Fills the buffer with cryptographically secure random bytes (getrandom(2)). Thread-safe. */

void random_bytes(void *ret, size_t size);

/* 36 characters and a NUL. */
enum { RANDOM_UUID_SIZE = 37 };

/* A version 4 UUID (RFC 9562 section 5.4), lower case. */
void random_uuid(char ret_text[RANDOM_UUID_SIZE]);
