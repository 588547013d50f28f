#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gpg/context.h"

/* Why gpg does not encrypt to a key; the first that applies. */
enum gpg_key_problem {
    GPG_KEY_USABLE,
    GPG_KEY_REVOKED,
    GPG_KEY_EXPIRED,
    GPG_KEY_DISABLED,
    GPG_KEY_SUBKEY_EXPIRED, /* it had a subkey for encryption, which has expired */
    /* gpg does not say why; for example a key that was created later than gpg's clock shows */
    GPG_KEY_INVALID,
    GPG_KEY_CANNOT_ENCRYPT, /* no valid subkey for encryption */
    GPG_KEY_NOT_TRUSTED,    /* not trusted: gpg encrypts to it only if told to trust it */
};

enum { GPG_FINGERPRINT_SIZE = 65 }; /* 40 or 64 hexadecimal digits and a NUL */

struct gpg_key {
    char fingerprint[GPG_FINGERPRINT_SIZE];
    /* of the subkey for encryption, valid or not; "" if the key has none */
    char subkey[GPG_FINGERPRINT_SIZE];
    char keygrip[41];   /* of that subkey; "" if the key has none */
    char *user_id;      /* the first; UTF-8; never NULL, may be "" */
    char algorithm[32]; /* "cv25519", "rsa4096" */
    int64_t expires_s;  /* since 1970; 0: never */
    bool has_secret;    /* gpg says that the secret part is there (on disk or a card) */
    enum gpg_key_problem problem;
};

struct gpg_keys {
    struct gpg_key *items;
    size_t count;
};

/*
 * Lists the keys that match pattern (as `gpg -k PATTERN` takes it; NULL: all), with is_secret_only
 * only those with a secret key. An empty list is not a failure. *ret is owned by the caller
 * (gpg_keys_done). 0 or negative.
 */
int gpg_keys_find(struct gpg_context *gpg, const char *pattern, bool is_secret_only,
                  struct gpg_keys *ret, struct error *err) MUST_USE;
void gpg_keys_done(struct gpg_keys *keys);

/* The problem in words that complete "the key … ": "has expired". */
const char *gpg_key_problem_words(enum gpg_key_problem problem);

/*
 * Generates a key pair for user_id ("Name <mail>"): ed25519 with a cv25519 encryption subkey,
 * without expiry, ultimately trusted. With has_passphrase gpg asks for a passphrase through its
 * pinentry; otherwise the key has none. 0 with the fingerprint, or negative; ECANCELED if the
 * person cancels.
 */
int gpg_key_generate(struct gpg_context *gpg, const char *user_id, bool has_passphrase,
                     char ret_fingerprint[GPG_FINGERPRINT_SIZE], struct error *err) MUST_USE;
