#pragma once

#include "gpg/keys.h"
#include "helper/setup/options.h"

/* The key for which the store will encrypt. */
struct setup_key {
    char fingerprint[GPG_FINGERPRINT_SIZE]; /* "" if it is still to be made */
    char *user_id;                          /* of either; owned */
};

/*
 * Chooses an existing key: the one that is named, or the only usable one, or the one that the
 * person on the terminal chooses; or else the name of a new one. Changes nothing. 0 with *ret owned
 * by the caller (setup_key_done), or negative: which keys there are, and which option says which.
 */
int setup_key_choose(struct gpg_context *gpg, const struct setup_options *options,
                     struct setup_key *ret, struct error *err) MUST_USE;
void setup_key_done(struct setup_key *key);

/* Makes the key unless it exists; may ask for a passphrase. 0 or negative. */
int setup_key_make(struct gpg_context *gpg, const struct setup_options *options,
                   struct setup_key *key, struct error *err) MUST_USE;
