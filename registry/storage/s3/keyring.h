#pragma once

#include <stdbool.h>

#include "registry/storage/s3/key-endpoint.h"

/*
 * The keys that requests are signed with. Secrets are in secure memory and in no message. From any
 * thread.
 *
 * They come from the first of these that has any: the configuration; AWS_ACCESS_KEY_ID,
 * AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; the role AWS_ROLE_ARN for the token in
 * AWS_WEB_IDENTITY_TOKEN_FILE; the profile AWS_PROFILE ("default") of the file
 * AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials); the endpoint of the container; that of the
 * instance.
 *
 * Keys of an endpoint expire. One thread replaces them before, while requests go on with the old
 * ones. If that fails, it tries again, and the old ones are used until they expire.
 */
struct keyring;

/* The configuration's keys; borrowed. access NULL or empty: not configured. */
struct keyring_options {
    const char *access;
    const struct secbuf *secret;
    const struct secbuf *token;
    const char *const *environment; /* such as environ */
    const char *region;             /* whose token service is asked; may be NULL */
};

/*
 * Chooses where keys come from. Does not connect to an endpoint yet, but may resolve its name.
 * *ret is the caller's, free with keyring_free(). 0 or negative: there are no keys, or a file or
 * variable is invalid.
 */
int keyring_new(const struct keyring_options *options, struct keyring **ret,
                struct error *err) MUST_USE;

/* Gets the first keys from the endpoint, if there is one, and starts the thread. 0 or negative. */
int keyring_start(struct keyring *keyring, struct error *err) MUST_USE;
void keyring_free(struct keyring *keyring); /* takes NULL */

/* From that moment of monotonic_ms() on nobody waits for the endpoint; what is in progress fails. */
void keyring_end_at(struct keyring *keyring, int64_t moment_ms);

/*
 * The keys of now. *ret is valid until keyring_put(). 0, or -EHOSTDOWN: they have expired and could
 * not be replaced.
 */
int keyring_get(struct keyring *keyring, struct keys **ret, struct error *err) MUST_USE;
void keyring_put(struct keys *keys); /* takes NULL */

/*
 * The store says that these keys have expired: has them replaced, and waits for that. 0,
 * KEYRING_FIXED if they are never replaced, or -EHOSTDOWN.
 */
enum { KEYRING_FIXED = 1 };
int keyring_renew(struct keyring *keyring, const struct keys *refused, struct error *err) MUST_USE;

/*
 * Where they come from, for the log: "the configuration", "the environment", the path of a file or
 * an endpoint. Valid as long as the keyring.
 */
const char *keyring_get_origin(const struct keyring *keyring);

/* NULL: the keys come from no endpoint. The same. */
const struct key_endpoint *keyring_get_endpoint(const struct keyring *keyring);

/* How often keys came from the endpoint, and how often they did not. */
struct keyring_counters {
    unsigned long renewals, failures;
};
void keyring_count(struct keyring *keyring, struct keyring_counters *ret);
