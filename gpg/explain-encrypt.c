/*
 * When a recipient cannot be used, gpg says "No public key" also for keys that are expired, revoked
 * or disabled. In that case the keyring is searched once more to find the reason.
 */
#include "gpg/explain.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "gpg/failure.h"
#include "gpg/watch.h"
#include "gpg/words.h"

struct reason {
    const char *why;
    const char *cure;
};

/* The subkey for encryption that is closest to being usable; NULL if the key has none. */
static gpgme_subkey_t find_encryption_subkey(gpgme_key_t key)
{
    gpgme_subkey_t best = NULL;

    for (gpgme_subkey_t s = key->subkeys; s; s = s->next)
        if (s->can_encrypt && (!best || best->revoked || (best->expired && !s->revoked)))
            best = s;
    return best;
}

static struct reason reason_of_key(gpgme_key_t key)
{
    gpgme_subkey_t subkey = find_encryption_subkey(key);

    if (key->revoked)
        return (struct reason){"the key was revoked", "run pass init with another key"};
    if (key->disabled)
        return (struct reason){"the key is disabled", "gpg --edit-key it and say enable"};
    if (key->expired)
        return (struct reason){"the key has expired", "gpg --quick-set-expire FINGERPRINT 2y"};
    if (key->invalid || (subkey && subkey->invalid && !subkey->revoked && !subkey->expired))
        return (struct reason){"gpg takes the key for invalid",
                               "see gpg -k, and whether the clock is right"};
    if (!subkey)
        return (struct reason){"the key is for signatures only: it has no subkey for encryption",
                               "gpg --quick-add-key FINGERPRINT"};
    if (subkey->revoked)
        return (struct reason){"its subkey for encryption was revoked",
                               "gpg --quick-add-key FINGERPRINT"};
    if (subkey->expired)
        return (struct reason){"its subkey for encryption has expired",
                               "gpg --quick-set-expire FINGERPRINT 2y SUBKEY-FINGERPRINT"};
    return (struct reason){"gpg takes it for unusable", "see gpg -k"};
}

/* The reason why the first key with that name cannot be used. why is NULL if gpg cannot tell. */
static struct reason reason_in_keyring(struct gpg_context *gpg, const char *name)
{
    struct reason reason = {
        "there is no such public key in the keyring",
        "gpg --import it, or correct the name (pass init FINGERPRINT; gpg -K shows yours)"};
    gpgme_key_t key = NULL;

    if (strchr(name, '%')) /* a control byte that gpg has escaped, such as a carriage return */
        return reason;
    gpg_watch_begin(gpg);
    if (gpgme.op_keylist_start(gpg->handle, name, 0) == 0 &&
        gpgme.op_keylist_next(gpg->handle, &key) == 0) {
        reason = reason_of_key(key);
        gpgme.key_unref(key);
    }
    gpgme.op_keylist_end(gpg->handle);
    if (gpg_watch_end(gpg, true, true, NULL) < 0 || gpg->status.has_keyring_failure ||
        !gpg->status.has_spoken)
        return (struct reason){0};
    return reason;
}

static struct reason reason_for(struct gpg_context *gpg, const char *name, gpgme_error_t e)
{
    switch (gpgme_err_code(e)) {
    case GPG_ERR_PUBKEY_NOT_TRUSTED:
        return (struct reason){"gpg does not trust that the key is its owner's",
                               "your own: gpg --edit-key it and say trust; another's: gpg "
                               "--quick-lsign-key FINGERPRINT; "
                               "or set PASSWORD_STORE_GPG_OPTS=--trust-model=always"};
    case GPG_ERR_AMBIGUOUS_NAME:
        return (struct reason){"several keys match", "name it by its fingerprint"};
    default:
        return reason_in_keyring(gpg, name);
    }
}

/* If e is 0, gpg said nothing, and GPGME takes that for success. */
static int explain_unknown(const char *words, gpgme_error_t e, const char *source,
                           struct error *err)
{
    if (*words)
        return error_set(err, GPG_FAILURE_UNKNOWN,
                         "cannot encrypt to the keys named in %s; gpg says: %s", source, words);
    if (e)
        return error_set(err, GPG_FAILURE_UNKNOWN, "cannot encrypt to the keys named in %s: %s",
                         source, gpg_strerror(e));
    return error_set(
        err, GPG_FAILURE_UNKNOWN,
        "gpg ended without encrypting to the keys named in %s; see what gpg -e says, and "
        "how many keys there are",
        source);
}

int gpg_explain_encrypt(struct gpg_context *gpg, gpgme_error_t e, const char *source,
                        struct error *err)
{
    gpgme_encrypt_result_t result = gpgme.op_encrypt_result(gpg->handle);
    char words[GPG_WORDS_SIZE];
    CLEANUP_FREE char *name = NULL;
    struct gpg_barrier barrier;
    struct reason reason;

    gpg_words_read(gpg, words);
    if (gpg->status.has_option_failure)
        return gpg_explain_configuration(words, err);
    if (gpg_find_barrier(gpg, &barrier))
        return gpg_explain_barrier(&barrier, err);
    if (gpg->status.has_keyring_failure || !result || !result->invalid_recipients ||
        !result->invalid_recipients->fpr)
        return explain_unknown(words, e, source, err);
    name = strdup(result->invalid_recipients->fpr);
    if (!name)
        return error_set_oom(err);
    reason = reason_for(gpg, name, result->invalid_recipients->reason);
    if (!reason.why)
        return explain_unknown(words, e, source, err);
    return error_set(err, GPG_FAILURE_RECIPIENT, "cannot encrypt to \"%s\" (named in %s): %s; %s",
                     name, source, reason.why, reason.cure);
}
