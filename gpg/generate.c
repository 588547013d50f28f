/*
 * Generates ed25519 keys with a cv25519 subkey: gpg's future default, and the fastest to decrypt
 * with.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gpg/context-private.h"
#include "gpg/keys.h"
#include "gpg/watch.h"

static int explain(gpgme_error_t e, const char *user_id, struct error *err)
{
    switch (gpgme_err_code(e)) {
    case GPG_ERR_CANCELED:
    case GPG_ERR_FULLY_CANCELED:
        return error_set(err, ECANCELED,
                         "the passphrase prompt was cancelled; no key was generated");
    case GPG_ERR_NO_PIN_ENTRY:
        return error_set(err, ENOENT,
                         "gpg-agent finds no pinentry that can ask for the new key's passphrase; "
                         "install pinentry-curses, or generate a key without a passphrase");
    case GPG_ERR_ENOTTY:
    case GPG_ERR_ENXIO:
    case GPG_ERR_EIO:
        return error_set(err, ENOTTY,
                         "there is no terminal to ask for the new key's passphrase on; run this on "
                         "one, or generate a key without a passphrase");
    case GPG_ERR_TIMEOUT:
        return error_set(err, ETIMEDOUT,
                         "nobody answered the passphrase prompt in time; no key was generated");
    case GPG_ERR_USER_ID_EXISTS:
        return error_set(err, EEXIST, "there is a key for \"%s\" already", user_id);
    case GPG_ERR_INV_USER_ID:
        return error_set(err, EINVAL, "gpg does not accept \"%s\" as a name and an e-mail address",
                         user_id);
    default:
        return error_set(err, EIO, "gpg cannot generate a key for \"%s\": %s (%s)", user_id,
                         gpg_strerror(e), gpg_strsource(e));
    }
}

int gpg_key_generate(struct gpg_context *gpg, const char *user_id, bool has_passphrase,
                     char ret_fingerprint[GPG_FINGERPRINT_SIZE], struct error *err)
{
    unsigned flags = GPGME_CREATE_NOEXPIRE | (has_passphrase ? 0 : GPGME_CREATE_NOPASSWD);
    gpgme_genkey_result_t result;
    gpgme_error_t e;
    int r;

    for (const char *c = user_id; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return error_set(err, EINVAL,
                             "a key's name and e-mail address cannot contain control characters");
    gpg_watch_begin(gpg);
    e = gpgme.op_createkey(gpg->handle, user_id, "future-default", 0, 0, NULL, flags);
    r = gpg_watch_end(gpg, e != 0, true, err);
    if (r < 0)
        return error_wrap(err, "gpg cannot make a key for \"%s\"", user_id);
    if (e)
        return explain(e, user_id, err);
    result = gpgme.op_genkey_result(gpg->handle);
    if (!result || !result->fpr)
        return error_set(err, EIO,
                         "gpg generated a key for \"%s\", but does not say which; see gpg -K",
                         user_id);
    snprintf(ret_fingerprint, GPG_FINGERPRINT_SIZE, "%s", result->fpr);
    return 0;
}
