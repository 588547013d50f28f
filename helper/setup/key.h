#pragma once

#include "gpg/keys.h"
#include "helper/setup/options.h"

/* The key that the store will encrypt to. */
struct setup_key {
    char fingerprint[GPG_FINGERPRINT_SIZE]; /* "" if it must still be generated */
    char *user_id;                          /* of either; owned */
};

/*
 * Chooses an existing key: the one that is named, or the only usable one, or the one that the
 * person on the terminal chooses; or else the name of a new one. Changes nothing. 0 with *ret owned
 * by the caller (setup_key_done); or negative, with the keys and the option that chooses one in
 * err.
 */
int setup_key_choose(struct gpg_context *gpg, const struct setup_options *options,
                     struct setup_key *ret, struct error *err) MUST_USE;
void setup_key_done(struct setup_key *key);

/* Generates the key unless it exists. May ask for a passphrase. 0 or negative. */
int setup_key_make(struct gpg_context *gpg, const struct setup_options *options,
                   struct setup_key *key, struct error *err) MUST_USE;
