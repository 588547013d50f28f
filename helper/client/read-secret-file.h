#pragma once

#include <sys/stat.h>

#include "common/secbuf.h"

/* The most that is read, in bytes. */
#define SECRET_FILE_MAX ((size_t)16 << 20)

/*
 * Appends a regular file's bytes to ret_text. 0 with *ret_stat (which may be NULL), -EINVAL if it
 * is not a regular file, -EFBIG for more than SECRET_FILE_MAX, or -errno.
 */
int read_secret_file(const char *path, struct secbuf *ret_text, struct stat *ret_stat) MUST_USE;
