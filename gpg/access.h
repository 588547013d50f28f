#pragma once

#include <limits.h>
#include <stdbool.h>

/* A file or directory of gpg that exists and that this user may not read. */
struct gpg_barrier {
    char path[PATH_MAX];
    int error; /* errno */
};

/*
 * Looks for the first such file in gpg's home directory: configuration, public keys, trust
 * database, secret keys. For most of them gpg says only "No secret key". True with *ret.
 */
bool gpg_access_find_barrier(const char *home, struct gpg_barrier *ret);
