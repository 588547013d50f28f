/*
 * Which keys there are, and whether gpg would encrypt to them, without trying.
 */
#include "gpg/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpg/context-private.h"
#include "gpg/watch.h"

void gpg_keys_done(struct gpg_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        free(keys->items[i].user_id);
    free(keys->items);
    *keys = (struct gpg_keys){0};
}

const char *gpg_key_problem_words(enum gpg_key_problem problem)
{
    static const char *const words[] = {
        [GPG_KEY_USABLE] = "is usable",
        [GPG_KEY_REVOKED] = "was revoked",
        [GPG_KEY_EXPIRED] = "has expired",
        [GPG_KEY_DISABLED] = "is disabled",
        [GPG_KEY_SUBKEY_EXPIRED] = "has a subkey for encryption that has expired",
        [GPG_KEY_INVALID] = "is not valid for gpg (is the clock right?)",
        [GPG_KEY_CANNOT_ENCRYPT] = "has no valid subkey for encryption",
        [GPG_KEY_NOT_TRUSTED] = "is not known to be its owner's (gpg does not trust it)",
    };

    return words[problem];
}

/* --- one key --------------------------------------------------------------------------------- */

/*
 * The subkey that gpg would encrypt to: the newest valid one; with is_valid false, the newest of
 * all.
 */
static gpgme_subkey_t find_encryption_subkey(gpgme_key_t key, bool is_valid)
{
    gpgme_subkey_t best = NULL;

    for (gpgme_subkey_t s = key->subkeys; s; s = s->next) {
        if (!s->can_encrypt ||
            (is_valid && (s->revoked || s->expired || s->disabled || s->invalid)))
            continue;
        if (!best || s->timestamp > best->timestamp)
            best = s;
    }
    return best;
}

/*
 * Whether gpg calls a subkey invalid. GnuPG 2.4 does not say then whether the subkey is for
 * encryption.
 */
static bool has_invalid_subkey(gpgme_key_t key)
{
    for (gpgme_subkey_t s = key->subkeys ? key->subkeys->next : NULL; s; s = s->next)
        if (s->invalid && !s->revoked &&
            (s->can_encrypt || (!s->can_sign && !s->can_certify && !s->can_authenticate)))
            return true;
    return false;
}

/* gpg -e requires one user id with at least marginal validity. */
static bool is_trusted(gpgme_key_t key)
{
    for (gpgme_user_id_t uid = key->uids; uid; uid = uid->next)
        if (!uid->revoked && uid->validity >= GPGME_VALIDITY_MARGINAL)
            return true;
    return false;
}

static enum gpg_key_problem find_problem(struct gpg_context *gpg, gpgme_key_t key)
{
    const char *model = gpgme.get_ctx_flag(gpg->handle, "trust-model");
    gpgme_subkey_t former = find_encryption_subkey(key, false);

    if (key->revoked)
        return GPG_KEY_REVOKED;
    if (key->expired)
        return GPG_KEY_EXPIRED;
    if (key->disabled)
        return GPG_KEY_DISABLED;
    if (!find_encryption_subkey(key, true) && former && former->expired && !former->revoked)
        return GPG_KEY_SUBKEY_EXPIRED;
    if (key->invalid || (!find_encryption_subkey(key, true) && has_invalid_subkey(key)))
        return GPG_KEY_INVALID;
    if (!find_encryption_subkey(key, true))
        return GPG_KEY_CANNOT_ENCRYPT;
    if (!is_trusted(key) && !(model && strcmp(model, "always") == 0))
        return GPG_KEY_NOT_TRUSTED;
    return GPG_KEY_USABLE;
}

static int describe(struct gpg_context *gpg, gpgme_key_t key, struct gpg_key *ret)
{
    gpgme_subkey_t subkey = find_encryption_subkey(key, true);
    /* GPGME 2 has an unsigned long, GPGME 1 a long, which is negative where the time is invalid */
    int64_t expires_s;
    char *algorithm;

    *ret = (struct gpg_key){.problem = find_problem(gpg, key)};
    if (!subkey)
        subkey = find_encryption_subkey(key, false);
    snprintf(ret->fingerprint, sizeof(ret->fingerprint), "%s", key->fpr ? key->fpr : "");
    ret->user_id = strdup(key->uids && key->uids->uid ? key->uids->uid : "");
    if (!ret->user_id)
        return -ENOMEM;
    if (key->subkeys)
        ret->expires_s = (int64_t)key->subkeys->expires;
    for (gpgme_subkey_t s = key->subkeys; s; s = s->next)
        ret->has_secret |= s->secret;
    if (!subkey)
        return 0;
    expires_s = (int64_t)subkey->expires;
    if (expires_s > 0 && (ret->expires_s == 0 || expires_s < ret->expires_s))
        ret->expires_s = expires_s;
    ret->has_secret = subkey->secret;
    snprintf(ret->subkey, sizeof(ret->subkey), "%s", subkey->fpr ? subkey->fpr : "");
    snprintf(ret->keygrip, sizeof(ret->keygrip), "%s", subkey->keygrip ? subkey->keygrip : "");
    algorithm = gpgme.pubkey_algo_string(subkey);
    snprintf(ret->algorithm, sizeof(ret->algorithm), "%s", algorithm ? algorithm : "?");
    gpgme.free(algorithm);
    return 0;
}

/* --- all of them ----------------------------------------------------------------------------- */

static int add_key(struct gpg_context *gpg, struct gpg_keys *keys, gpgme_key_t key)
{
    struct gpg_key *more = reallocarray(keys->items, keys->count + 1, sizeof(*more));

    if (!more)
        return -ENOMEM;
    keys->items = more;
    if (describe(gpg, key, &more[keys->count]) < 0)
        return -ENOMEM;
    keys->count++;
    return 0;
}

static gpgme_error_t read_keys(struct gpg_context *gpg, const char *pattern, bool is_secret_only,
                               struct gpg_keys *keys)
{
    gpgme_key_t key;
    gpgme_error_t e = gpgme.set_keylist_mode(gpg->handle, GPGME_KEYLIST_MODE_LOCAL |
                                                              GPGME_KEYLIST_MODE_WITH_SECRET);

    if (!e)
        e = gpgme.op_keylist_start(gpg->handle, pattern, is_secret_only);
    while (!e) {
        e = gpgme.op_keylist_next(gpg->handle, &key);
        if (e)
            break;
        if (add_key(gpg, keys, key) < 0)
            e = gpgme_error(GPG_ERR_ENOMEM);
        gpgme.key_unref(key);
    }
    gpgme.op_keylist_end(gpg->handle);
    return gpgme_err_code(e) == GPG_ERR_EOF ? 0 : e;
}

int gpg_keys_find(struct gpg_context *gpg, const char *pattern, bool is_secret_only,
                  struct gpg_keys *ret, struct error *err)
{
    CLEANUP(gpg_keys_done) struct gpg_keys keys = {0};
    gpgme_error_t e;
    int r;

    gpg_watch_begin(gpg);
    e = read_keys(gpg, pattern, is_secret_only, &keys);
    r = gpg_watch_end(gpg, e != 0, true, err);
    if (r < 0)
        return error_wrap(err, "gpg cannot list its keys");
    if (gpgme_err_code(e) == GPG_ERR_ENOMEM)
        return error_set_oom(err);
    if (e)
        return error_set(err, EIO, "gpg cannot list its keys: %s; see what gpg -K says",
                         gpg_strerror(e));
    *ret = keys;
    keys = (struct gpg_keys){0};
    return 0;
}
