#pragma once

#include <stdint.h>

#include "gpg/options.h"
#include "helper/credential.h"

/*
 * The password store as the place where credentials are: what docker's verbs, `setup` and
 * `doctor` do with it. Each call opens the store that the environment names, and closes it.
 */
enum { VAULT_NOT_FOUND = 1 };

/*
 * Stores a credential, encrypted, in place of any that its server has. Everything that can go
 * wrong goes wrong before the store is touched. May ask for a passphrase only where .gpg-id must
 * be signed. That git could not record it is a warning on stderr. 0 or negative.
 */
int vault_put(struct credential *credential, struct error *err) MUST_USE;

/*
 * Finds the credential of credential->server_url and fills in username and secret. May ask for a
 * passphrase. That there is none is found out without gpg. 0, VAULT_NOT_FOUND, or negative.
 */
int vault_get(struct credential *credential, struct error *err) MUST_USE;

/* How a decryption went. */
struct vault_proof {
    uint64_t decrypt_us;
    struct error why_by_gpg; /* its text says why gpg was needed; code 0 where it was not */
};

/*
 * Shows that the store works: encrypts a random text as a new entry would be, decrypts it as `get` does, and
 * compares, all in memory. mode says whether a passphrase may be asked for (GPG_PINENTRY_ERROR:
 * it is a failure instead). 0 or negative.
 */
int vault_prove(enum gpg_pinentry_mode mode, struct vault_proof *ret_proof, struct error *err) MUST_USE;
