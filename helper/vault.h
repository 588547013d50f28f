#pragma once

#include <stdint.h>

#include "gpg/options.h"
#include "helper/credential.h"
#include "helper/pass/entry.h"

/*
 * The vault is where credentials are kept: what docker's verbs (store, get, erase, list), `setup` and `doctor` do with the
 * password store. Each call opens the password store that the environment names, and closes it. "store" alone means docker's
 * verb here; docker's `credsStore` is the name of a helper.
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

/*
 * Removes every credential of a server. That there is none is no failure, and takes no lock. That git could not record it is
 * a warning on stderr. 0 or negative.
 */
int vault_erase(const struct secbuf *server_url, struct error *err) MUST_USE;

/* All servers with their first user, sorted by URL; owned by the caller (pass_listing_done). Decrypts nothing. 0 or negative. */
int vault_list(struct pass_listing *ret, struct error *err) MUST_USE;

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
