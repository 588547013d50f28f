#pragma once

#include "gpg/options.h"
#include "helper/credential.h"
#include "helper/pass/entry.h"
#include "helper/pass/path.h"
#include "helper/pass/store.h"

/*
 * The vault is where credentials are kept: what docker's verbs (store, get, erase, list), `setup`
 * and `doctor` do with the password store. Each call opens the password store that the environment
 * names, and closes it. "store" alone means docker's verb here; docker's `credsStore` is the name
 * of a helper.
 */
enum { VAULT_NOT_FOUND = 1 };

/*
 * Stores an encrypted credential, which replaces all others of its server. Every check is made
 * before the password store is changed. Asks for a passphrase only if .gpg-id must be signed. If
 * git cannot record the change, prints a warning on stderr. 0 or negative.
 */
int vault_put(struct credential *credential, struct error *err) MUST_USE;

/*
 * Finds the credential of credential->server_url and fills in username and secret. May ask for a
 * passphrase. Does not start gpg if there is no entry. 0, VAULT_NOT_FOUND, or negative.
 */
int vault_get(struct credential *credential, struct error *err) MUST_USE;

/*
 * Removes every credential of a server. Without any, succeeds and takes no lock. If git cannot
 * record the change, prints a warning on stderr. 0 or negative.
 */
int vault_erase(const struct secbuf *server_url, struct error *err) MUST_USE;

/*
 * All servers with their first user, sorted by URL; owned by the caller (pass_listing_done).
 * Decrypts nothing. 0 or negative.
 */
int vault_list(struct pass_listing *ret, struct error *err) MUST_USE;

/*
 * The two halves of a login, for helper/proof.h. Encrypts plain to the recipients of the entry at
 * path. 0, or negative with nothing appended.
 */
int vault_encrypt(const struct pass_store *store, const struct pass_path *path,
                  struct secbuf *plain, struct secbuf *ret_message, struct error *err) MUST_USE;

/*
 * Decrypts the message open at fd, by the fast path or, if that declines, by gpg; why_by_gpg (may
 * be NULL) then says why it declined, and is otherwise untouched. name is the file, for the error
 * text. 0 or negative (gpg/failure.h).
 */
int vault_decrypt(enum gpg_pinentry_mode mode, int fd, const char *name, struct secbuf *ret_plain,
                  struct error *why_by_gpg, struct error *err) MUST_USE;
