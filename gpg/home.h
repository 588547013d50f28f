#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/macros.h"

/* Where gpg keeps its keys, and how to reach the agent that has the secret ones. */
struct gpg_home {
    char path[PATH_MAX];
    bool is_default;   /* ~/.gnupg */
    bool uses_keyboxd; /* set by gpg_home_check(): the public keys are not in pubring.kbx */
};

/*
 * Finds gpg's home directory as gpg does: given (may be NULL), else $GNUPGHOME, else ~/.gnupg. 0;
 * or -ENOTSUP if it is not an absolute path in its simplest form, which gpg would normalise first.
 */
int gpg_home_find(const char *given, struct gpg_home *ret) MUST_USE;

/*
 * Whether gpg would use this home directory in the usual way: keys in pubring.kbx or with keyboxd,
 * and no option that matters to decryption. 0; or -ENOTSUP if not, or if that cannot be determined.
 */
int gpg_home_check(struct gpg_home *home) MUST_USE;

/*
 * A daemon's socket is a file in the home directory, or in a directory in /run/user that belongs to
 * it.
 */
enum { SOCKET_PATH_SIZE = 108 };
#define GPG_AGENT_SOCKET "S.gpg-agent"
#define GPG_KEYBOXD_SOCKET "S.keyboxd"

/*
 * Finds a socket by GnuPG's rules (common/homedir.c), without checking whether anything listens. If
 * it is missing and this process is in a user namespace, also looks where the user outside of it
 * has it. 0 or -ENOTSUP.
 */
int gpg_home_find_socket(const struct gpg_home *home, const char *name,
                         char ret_path[SOCKET_PATH_SIZE]) MUST_USE;
