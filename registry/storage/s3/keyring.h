#pragma once

#include <stddef.h>

#include "common/error.h"
#include "common/secbuf.h"
#include "registry/storage/s3/sign.h"

/*
 * The keys that requests are signed with. Secrets are in secure memory and in no message. From any
 * thread.
 *
 * They come from the first of these that has any: the configuration; AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; the profile AWS_PROFILE ("default") of the file
 * AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials).
 */
struct keyring;

/* The configuration's keys; borrowed. access NULL or empty: not configured. */
struct keyring_options {
    const char *access;
    const struct secbuf *secret;
    const struct secbuf *token;
    const char *const *environment; /* such as environ */
};

/* *ret is the caller's, free with keyring_free(). 0 or negative: no keys, a file that cannot be
 * read or is wrong. */
int keyring_new(const struct keyring_options *options, struct keyring **ret,
                struct error *err) MUST_USE;
void keyring_free(struct keyring *keyring); /* takes NULL */

/* Valid as long as the keyring. */
const struct s3_keys *keyring_get(const struct keyring *keyring);

/* Where they come from, for the log: "the configuration", "the environment" or the path of a file.
 */
const char *keyring_get_origin(const struct keyring *keyring);
