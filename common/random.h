#pragma once

#include <stddef.h>

/* Bytes that nobody can guess, from the kernel (getrandom(2)); from any thread. */

void random_bytes(void *ret, size_t size);

/* 36 characters and a NUL. */
enum { RANDOM_UUID_SIZE = 37 };

/* A version 4 UUID (RFC 9562 section 5.4), lower case. */
void random_uuid(char ret_text[RANDOM_UUID_SIZE]);
