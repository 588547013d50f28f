#pragma once

#include <stddef.h>

/*
 * Output of gpg and gpg-agent for one keyring, in the files of openpgp/ (see make.py there).
 */
extern const char *const vector_keys[]; /* the keys' names, with a NULL at the end */

/*
 * The file <name>.<suffix>, or name alone if suffix is NULL. Owned by the caller, free with free(); a NUL follows it.
 * Ends the test if it cannot be read.
 */
unsigned char *read_vector(const char *name, const char *suffix, size_t *ret_size);
