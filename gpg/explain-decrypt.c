/*
 * gpg says "No secret key" for almost every failure of a decryption. The real cause is in GPGME's
 * error source or in gpg's status lines, or is found by asking the agent and looking at the files.
 * A cause is named only if it is established; otherwise gpg's own words are shown.
 */
#include "gpg/explain.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "gpg/access.h"
#include "gpg/agent.h"
#include "gpg/assuan.h"
#include "gpg/card.h"
#include "gpg/failure.h"
#include "gpg/home.h"
#include "gpg/query.h"
#include "gpg/watch.h"
#include "gpg/words.h"

/* --- what is not recognised ------------------------------------------------------------------ */

static int explain_unknown(const char *words, gpgme_error_t e, const char *name, struct error *err)
{
    if (*words)
        return error_set(err, GPG_FAILURE_UNKNOWN, "cannot decrypt %s; gpg says: %s", name, words);
    return error_set(err, GPG_FAILURE_UNKNOWN,
                     "cannot decrypt %s: %s (%s); see what gpg says: gpg -d FILE", name,
                     gpg_strerror(e), gpg_strsource(e));
}

int gpg_explain_configuration(const char *words, struct error *err)
{
    return error_set(err, GPG_FAILURE_CONFIGURATION,
                     "gpg refuses its configuration, so it does nothing; gpg says: %s",
                     *words ? words : "(nothing)");
}

int gpg_explain_barrier(const struct gpg_barrier *barrier, struct error *err)
{
    return error_set_errno(err, barrier->error, "gpg cannot read %s, so it does not find its keys",
                           barrier->path);
}

bool gpg_find_barrier(struct gpg_context *gpg, struct gpg_barrier *ret)
{
    struct gpg_home home;

    return gpg_home_find(gpgme.ctx_get_engine_info(gpg->handle)->home_dir, &home) == 0 &&
           gpg_access_find_barrier(home.path, ret);
}

/* --- no secret key --------------------------------------------------------------------------- */

static bool is_agent_reachable(struct gpg_context *gpg)
{
    CLEANUP(assuan_done) struct assuan agent = ASSUAN_INIT;
    CLEANUP_FREE char *asked = NULL;
    char path[SOCKET_PATH_SIZE];
    struct gpg_home home;

    if (gpg_home_find(gpgme.ctx_get_engine_info(gpg->handle)->home_dir, &home) == 0 &&
        gpg_home_find_socket(&home, GPG_AGENT_SOCKET, path) == 0)
        return assuan_connect(path, &agent) == 0;
    return gpg_agent_find_socket(&asked, NULL) == 0 && assuan_connect(asked, &agent) == 0;
}

enum keyring { KEYRING_HAS_KEY, KEYRING_LACKS_KEY, KEYRING_UNREADABLE };

/* Looks for one of the message's keys among the public ones. */
static enum keyring look_up_key(struct gpg_context *gpg, const char *key_id)
{
    gpgme_key_t key = NULL;
    bool has_key;

    gpg_watch_begin(gpg);
    has_key = gpgme.op_keylist_start(gpg->handle, key_id, 0) == 0 &&
              gpgme.op_keylist_next(gpg->handle, &key) == 0;
    if (has_key)
        gpgme.key_unref(key);
    gpgme.op_keylist_end(gpg->handle);
    if (gpg_watch_end(gpg, false, true, NULL) < 0 || (!gpg->status.has_spoken && !has_key) ||
        gpg->status.has_keyring_failure || gpg->status.has_option_failure)
        return KEYRING_UNREADABLE;
    return has_key ? KEYRING_HAS_KEY : KEYRING_LACKS_KEY;
}

/* Looks for all of the message's keys. gpg asks its agent only for keys that are in its keyring. */
static enum keyring look_up_keys(struct gpg_context *gpg, const char *key_ids)
{
    enum keyring found = KEYRING_LACKS_KEY;
    char key_id[32];

    while (*key_ids && found == KEYRING_LACKS_KEY) {
        size_t size = strcspn(key_ids, ",");

        snprintf(key_id, sizeof(key_id), "%.*s", (int)size, key_ids);
        found = look_up_key(gpg, key_id);
        key_ids += size + strspn(key_ids + size, ", ");
    }
    return found;
}

static void format_key_ids(gpgme_decrypt_result_t result, char *ret_text, size_t size)
{
    size_t used = 0;

    ret_text[0] = '\0';
    if (!result)
        return;
    for (gpgme_recipient_t r = result->recipients; r && used < size; r = r->next)
        used += (size_t)snprintf(ret_text + used, size - used, "%s%s", used ? ", " : "",
                                 r->keyid ? r->keyid : "?");
}

static int explain_no_agent(const char *name, const char *words, struct error *err)
{
    return error_set(err, GPG_FAILURE_NO_AGENT,
                     "gpg-agent cannot be reached, so %s cannot be decrypted; look at gpg.conf and "
                     "gpg-agent.conf, and whether the path of GNUPGHOME is short (its sockets take "
                     "at most 107 bytes); "
                     "gpg says: %s",
                     name, *words ? words : "(nothing)");
}

/* GPG_ERR_NO_SECKEY also comes back if gpg cannot read its files or reach its agent. */
static int explain_no_secret_key(struct gpg_context *gpg, gpgme_error_t e, const char *name,
                                 const char *words, struct error *err)
{
    bool has_hidden_recipient = gpg->status.has_hidden_recipient;
    enum keyring keyring = KEYRING_HAS_KEY;
    struct gpg_barrier barrier;
    char keys[256];

    format_key_ids(gpgme.op_decrypt_result(gpg->handle), keys, sizeof(keys));
    if (gpg_find_barrier(gpg, &barrier))
        return gpg_explain_barrier(&barrier, err);
    if (gpg->status.has_keyring_failure)
        return explain_unknown(words, e, name, err);
    if (!has_hidden_recipient)
        keyring = look_up_keys(gpg, keys);
    if (keyring == KEYRING_UNREADABLE)
        return explain_unknown(words, e, name, err);
    if (keyring == KEYRING_HAS_KEY && !is_agent_reachable(gpg))
        return explain_no_agent(name, words, err);
    if (has_hidden_recipient && gpg->pinentry_mode == GPG_PINENTRY_ERROR &&
        gpg_agent_may_have_locked_key())
        return error_set(
            err, GPG_FAILURE_LOCKED,
            "%s does not say which key it is for, and one of yours needs its passphrase", name);
    return error_set(err, GPG_FAILURE_NO_SECRET_KEY,
                     "%s is encrypted to key %s, but the secret key is not here; import it "
                     "(gpg --import), or log out of the registry and log in again",
                     name, has_hidden_recipient || !*keys ? "(hidden)" : keys);
}

/* --- codes that tell the cause --------------------------------------------------------------- */

static int explain_pinentry(gpgme_error_t e, const char *name, struct error *err)
{
    switch (gpgme_err_code(e)) {
    case GPG_ERR_EACCES:
    case GPG_ERR_EPERM:
        return error_set(err, GPG_FAILURE_NO_TERMINAL,
                         "the passphrase of the key for %s is needed, but the terminal belongs to "
                         "another user, as it does after su; log in as yourself, or start a shell "
                         "in: script -q /dev/null",
                         name);
    case GPG_ERR_ENOTTY:
    case GPG_ERR_ENOENT:
    case GPG_ERR_ENXIO:
    case GPG_ERR_EIO:
        return error_set(err, GPG_FAILURE_NO_TERMINAL,
                         "the passphrase of the key for %s is needed, but there is no terminal "
                         "to ask for it on; run docker once from a terminal, or give docker a key "
                         "without a passphrase",
                         name);
    default:
        return error_set(err, GPG_FAILURE_UNKNOWN,
                         "pinentry could not ask for the passphrase of the key for %s: %s; "
                         "see pinentry-program in gpg-agent.conf",
                         name, gpg_strerror(e));
    }
}

struct explanation {
    gpgme_err_code_t code;
    enum gpg_failure failure;
    const char *text;
};

/* The causes that are known from the code alone. */
static const struct explanation *find_explanation(gpgme_err_code_t code)
{
    static const struct explanation all[] = {
        {GPG_ERR_NO_PIN_ENTRY, GPG_FAILURE_NO_PINENTRY,
         "gpg-agent finds no pinentry that can ask for the passphrase; "
         "install pinentry-curses, or correct pinentry-program in gpg-agent.conf"},
        {GPG_ERR_CANCELED, GPG_FAILURE_CANCELED, "the passphrase prompt was cancelled; try again"},
        {GPG_ERR_FULLY_CANCELED, GPG_FAILURE_CANCELED,
         "the passphrase prompt was cancelled; try again"},
        {GPG_ERR_TIMEOUT, GPG_FAILURE_CANCELED,
         "nobody answered the passphrase prompt in time; try again"},
        {GPG_ERR_BAD_PASSPHRASE, GPG_FAILURE_BAD_PASSPHRASE, "the passphrase was wrong; try again"},
        {GPG_ERR_ENOMEM, GPG_FAILURE_AGENT_MEMORY,
         "gpg-agent is out of secure memory; put auto-expand-secmem into "
         "gpg-agent.conf and run gpgconf --kill gpg-agent"},
        {GPG_ERR_EFBIG, GPG_FAILURE_DAMAGED,
         "it is larger than any credential; it was not written by docker login"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (all[i].code == code)
            return &all[i];
    return NULL;
}

int gpg_explain_code(enum gpg_pinentry_mode mode, gpgme_error_t e, const char *name,
                     struct error *err)
{
    const struct explanation *explanation = find_explanation(gpgme_err_code(e));

    if (mode == GPG_PINENTRY_ERROR && gpgme_err_code(e) == GPG_ERR_NO_PIN_ENTRY)
        return error_set(err, GPG_FAILURE_LOCKED, "the key for %s needs its passphrase", name);
    /*
     * gpg says "canceled" of a message with a passphrase of its own (gpg -c), though nobody was
     * asked.
     */
    if (mode == GPG_PINENTRY_ERROR && gpgme_err_code(e) == GPG_ERR_CANCELED)
        return error_set(err, GPG_FAILURE_LOCKED, "%s needs a passphrase", name);
    if (gpg_card_is_concerned(e))
        return gpg_card_explain(e, NULL, name, err);
    if (explanation)
        return error_set(err, explanation->failure, "cannot decrypt %s: %s", name,
                         explanation->text);
    if (gpgme_err_source(e) == GPG_ERR_SOURCE_PINENTRY)
        return explain_pinentry(e, name, err);
    return explain_unknown("", e, name, err);
}

/* --- the message itself ---------------------------------------------------------------------- */

/*
 * Whether the message is damaged: gpg found no packet of a message, or a session key that its
 * secret key cannot decrypt, or a session key and then data that fail the integrity check.
 */
static bool is_damaged(const struct gpg_status *status)
{
    gpg_err_code_t key_code = gpg_err_code(status->key_error);

    if (!status->has_recipient)
        return status->has_no_data;
    return status->has_session_key || key_code == GPG_ERR_CHECKSUM ||
           key_code == GPG_ERR_WRONG_SECKEY;
}

int gpg_explain_decrypt(struct gpg_context *gpg, gpgme_error_t e, const char *name,
                        struct error *err)
{
    char words[GPG_WORDS_SIZE];

    gpg_words_read(gpg, words);
    if (gpg->status.has_option_failure)
        return gpg_explain_configuration(words, err);
    if (gpg->status.has_refused_mode && gpg->pinentry_mode == GPG_PINENTRY_ERROR)
        return error_set(err, GPG_FAILURE_REMOTE,
                         "gpg-agent is on another machine, and might ask for the passphrase there");
    if (gpg_card_is_concerned(e) || find_explanation(gpgme_err_code(e)) ||
        gpgme_err_source(e) == GPG_ERR_SOURCE_PINENTRY)
        return gpg_explain_code(gpg->pinentry_mode, e, name, err);
    if (gpg->status.has_no_mdc && !gpg->status.has_aead && gpg->status.has_session_key &&
        !gpg_words_include(gpg, "gcry_cipher_checktag"))
        return error_set(
            err, GPG_FAILURE_UNKNOWN,
            "cannot decrypt %s: it is not protected against changes (it has no MDC), so gpg "
            "refuses it; look for rfc2440 in gpg.conf, or log in again if an old program wrote it",
            name);
    if (is_damaged(&gpg->status))
        return error_set(
            err, GPG_FAILURE_DAMAGED,
            "cannot decrypt %s: the entry is damaged or not an OpenPGP message; log in "
            "again to replace it",
            name);
    if (gpgme_err_code(e) == GPG_ERR_NO_SECKEY || gpg->status.has_keyring_failure)
        return explain_no_secret_key(gpg, e, name, words, err);
    return explain_unknown(words, e, name, err);
}
