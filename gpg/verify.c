/*
 * A person who can write a .gpg-id file could add a recipient of their own. If the user sets
 * PASSWORD_STORE_SIGNING_KEY, the file must be signed by one of the keys that it names.
 */
#include "gpg/verify.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "gpg/context-private.h"
#include "gpg/watch.h"

enum { FINGERPRINT_LENGTH = 40 };

/* As in pass, only words of 40 upper-case hexadecimal digits count. */
static bool is_listed(const char *fingerprints, const char *wanted)
{
    static const char blanks[] = " \t\n";

    if (!wanted)
        return false;
    for (const char *at = fingerprints; *at;) {
        size_t length;

        at += strspn(at, blanks);
        length = strcspn(at, blanks);
        if (length == FINGERPRINT_LENGTH && strspn(at, "0123456789ABCDEF") >= length &&
            strncmp(at, wanted, length) == 0 && wanted[length] == '\0')
            return true;
        at += length;
    }
    return false;
}

/* Whether the primary key of a signing subkey is listed. */
static bool is_primary_listed(struct gpg_context *gpg, const char *fingerprints, const char *subkey)
{
    gpgme_key_t key = NULL;
    bool is_found;

    if (!subkey || gpgme.get_key(gpg->handle, subkey, &key, 0) != 0)
        return false;
    is_found = is_listed(fingerprints, key->fpr);
    gpgme.key_unref(key);
    return is_found;
}

static bool is_good(gpgme_signature_t signature)
{
    return gpgme_err_code(signature->status) == GPG_ERR_NO_ERROR;
}

/*
 * Looking up a key starts a new operation, which frees the signatures. So the fingerprints are
 * first compared directly, and only then by their primary keys.
 */
static bool has_listed_signer(struct gpg_context *gpg, const char *fingerprints)
{
    char fingerprint[8][FINGERPRINT_LENGTH + 1];
    size_t count = 0;

    for (gpgme_signature_t s = gpgme.op_verify_result(gpg->handle)->signatures; s; s = s->next) {
        if (!is_good(s))
            continue;
        if (is_listed(fingerprints, s->fpr))
            return true;
        if (count < ARRAY_SIZE(fingerprint) && s->fpr && strlen(s->fpr) == FINGERPRINT_LENGTH)
            memcpy(fingerprint[count++], s->fpr, FINGERPRINT_LENGTH + 1);
    }
    for (size_t i = 0; i < count; i++)
        if (is_primary_listed(gpg, fingerprints, fingerprint[i]))
            return true;
    return false;
}

/* Why no signature was accepted, as far as the first one tells. */
static const char *describe_refusal(gpgme_verify_result_t result)
{
    if (!result || !result->signatures)
        return "it holds no signature";
    switch (gpgme_err_code(result->signatures->status)) {
    case GPG_ERR_NO_ERROR:
        return "it was made by another key";
    case GPG_ERR_BAD_SIGNATURE:
        return "the file was changed after it was signed";
    case GPG_ERR_NO_PUBKEY:
        return "the signer's public key is not in the keyring";
    case GPG_ERR_KEY_EXPIRED:
    case GPG_ERR_SIG_EXPIRED:
        return "the signing key or the signature has expired";
    case GPG_ERR_CERT_REVOKED:
        return "the signing key was revoked";
    default:
        return gpg_strerror(result->signatures->status);
    }
}

int gpg_verify(struct gpg_context *gpg, const char *data, size_t size, const char *signature,
               size_t signature_size, const char *fingerprints, const char *name, struct error *err)
{
    CLEANUP(gpg_data_release) gpgme_data_t signed_text = NULL, detached = NULL;
    bool is_listed_signer;
    const char *why;
    gpgme_error_t e;
    int r;

    e = gpgme.data_new_from_mem(&signed_text, data, size, 0);
    if (!e)
        e = gpgme.data_new_from_mem(&detached, signature, signature_size, 0);
    if (e)
        return error_set_oom(err);
    gpg_watch_begin(gpg);
    e = gpgme.op_verify(gpg->handle, detached, signed_text, NULL);
    why = describe_refusal(e ? NULL : gpgme.op_verify_result(gpg->handle));
    is_listed_signer = !e && has_listed_signer(gpg, fingerprints);
    r = gpg_watch_end(gpg, e != 0, true, err);
    if (r < 0)
        return error_wrap(err, "cannot check the signature of %s", name);
    if (e && gpgme_err_code(e) != GPG_ERR_NO_DATA && gpgme_err_code(e) != GPG_ERR_BAD_SIGNATURE)
        return error_set(err, EIO, "cannot check the signature of %s: %s", name, gpg_strerror(e));
    if (is_listed_signer)
        return 0;
    return error_set(err, EBADMSG,
                     "the signature of %s is not one that PASSWORD_STORE_SIGNING_KEY requires: %s; "
                     "look at the file, and sign it again with pass init",
                     name, why);
}
