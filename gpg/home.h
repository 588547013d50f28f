#pragma once

#include <limits.h>
#include <stdbool.h>

#include "common/macros.h"

/* Where gpg keeps its keys, and how to reach the agent that has the secret ones. */
struct gpg_home {
    char path[PATH_MAX];
    bool is_default; /* ~/.gnupg */
};

/*
 * Finds the home folder as gpg does: given (may be NULL), else $GNUPGHOME, else ~/.gnupg. 0; or -ENOTSUP where it is no
 * absolute path in its plainest form, of which gpg and we could think differently.
 */
int gpg_home_find(const char *given, struct gpg_home *ret) MUST_USE;

/*
 * Whether gpg with this home folder would do the usual: keys in pubring.kbx, without a daemon for them, and no configuration
 * that matters to decryption. 0; or -ENOTSUP, also where that cannot be told.
 */
int gpg_home_check(const struct gpg_home *home) MUST_USE;

/* An agent's socket is a file by this name in the home folder, or in a folder in /run/user that belongs to it. */
enum { SOCKET_PATH_SIZE = 108 };

/* Finds it by GnuPG's rules (common/homedir.c), without looking whether it is there. 0 or -ENOTSUP. */
int gpg_home_find_socket(const struct gpg_home *home, char ret_path[SOCKET_PATH_SIZE]) MUST_USE;
