#pragma once

#include "registry/storage/s3/keys.h"

/* Files with secrets: the credentials file that the AWS tools share, and files with one token. */

/*
 * The keys of a profile of the shared file. *ret is the caller's, free with keys_drop(). 0, -ENOENT
 * without err if there is no such file or profile, or negative with err.
 */
int key_file_read_profile(const char *path, const char *profile, struct keys **ret,
                          struct error *err) MUST_USE;

/* Appends a whole file. 0, -ENOENT without err if it is missing, or negative with err. */
int key_file_read(const char *path, size_t limit, struct secbuf *ret, struct error *err) MUST_USE;
