#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/macros.h"

/*
 * Where a credential lies in the store (the layout of Docker's own helper):
 *
 *     <root>/docker-credential-helpers/<URL in base64url, padded>/<username>.gpg
 *
 * The URL is taken byte for byte. A username may hold '/', and then lies in directories of its own.
 * Pure functions: nothing here looks at the disk.
 */
#define PASS_DIRECTORY "docker-credential-helpers"
#define PASS_SUFFIX ".gpg"

enum {
    PASS_URL_MAX = 189,           /* bytes; 252 in base64, of the 255 that a file name may have */
    PASS_USERNAME_PART_MAX = 251, /* bytes after the last '/', so that ".gpg" still fits */
    PASS_USERNAME_MAX = 1024,     /* bytes in all */
    PASS_USERNAME_SLASHES_MAX = 32,
};

struct pass_path {
    char directory[256]; /* the URL in base64 */
    /* below directory: "user.gpg", "a/b.gpg" */
    char file[PASS_USERNAME_MAX + sizeof(PASS_SUFFIX)];
};

/* Fills path->directory, path->file is "". 0, or -ENAMETOOLONG for more than PASS_URL_MAX bytes. */
int pass_path_set_url(struct pass_path *path, const void *url, size_t size) MUST_USE;

/*
 * Fills path->file. 0, -ENAMETOOLONG (also for too many slashes), or -EINVAL for a name that would
 * lead elsewhere or could not be found again: an empty one, one with a NUL, or one with ".", "..",
 * ".git" or nothing between two slashes.
 */
int pass_path_set_username(struct pass_path *path, const void *username, size_t size) MUST_USE;

/*
 * Whether a file of this name is an entry: it ends in ".gpg" and has at least one character before
 * that.
 */
bool pass_path_is_entry(const char *name);

/* Decodes a directory's name to the URL; ret_url has room for 256 bytes. 0 or -EINVAL. */
int pass_path_parse_directory(const char *name, void *ret_url, size_t *ret_size) MUST_USE;
