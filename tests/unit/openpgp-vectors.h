#pragma once

#include <stddef.h>

/*
 * What gpg and gpg-agent made of one keyring, in the files of openpgp/ (see make.py there).
 */
extern const char *const vector_keys[]; /* the keys' names, with a NULL at the end */

/* The file <name>.<suffix>, or name alone where suffix is NULL. Owned by the caller, free with free(); a NUL follows it. Ends the test where it cannot be read. */
unsigned char *read_vector(const char *name, const char *suffix, size_t *ret_size);
