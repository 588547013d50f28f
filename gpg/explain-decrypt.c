/*
 * gpg says "No secret key" for almost every reason that a decryption can fail for. The reason
 * itself is in GPGME's error source, in the result, or in gpg's log lines; this file finds it.
 */
#include "gpg/explain.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "gpg/card.h"

enum { LOG_SIZE = 4096 };

/* What gpg logged during the last operation; "" where that is not to be had. */
static void read_log(struct gpg_context *gpg, char log[LOG_SIZE])
{
    CLEANUP(gpg_data_release) gpgme_data_t data = NULL;
    ssize_t n = 0;

    if (gpgme.data_new(&data) == 0 && gpgme.op_getauditlog(gpg->handle, data, GPGME_AUDITLOG_DIAG) == 0 &&
        gpgme.data_seek(data, 0, SEEK_SET) == 0)
        n = gpgme.data_read(data, log, LOG_SIZE - 1);
    log[n > 0 ? n : 0] = '\0';
}

static bool is_agent_trouble(const char *log)
{
    static const char *const signs[] = {
        "connect to the agent", "connect to the gpg-agent", "no gpg-agent running", "failed to start agent",
        "failed to start gpg-agent", "gpg-agent is not available",
    };

    for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
        if (strstr(log, signs[i]))
            return true;
    return false;
}

static void format_key_ids(gpgme_decrypt_result_t result, char *ret_text, size_t size)
{
    size_t used = 0;

    ret_text[0] = '\0';
    if (!result)
        return;
    for (gpgme_recipient_t r = result->recipients; r && used < size; r = r->next)
        used += (size_t)snprintf(ret_text + used, size - used, "%s%s", used ? ", " : "", r->keyid ? r->keyid : "?");
}

/* GPG_ERR_NO_SECKEY is also what comes back when there is no agent to ask for one. */
static int explain_no_secret_key(struct gpg_context *gpg, const char *name, struct error *err)
{
    char log[LOG_SIZE], keys[256];

    format_key_ids(gpgme.op_decrypt_result(gpg->handle), keys, sizeof(keys));
    read_log(gpg, log);
    if (is_agent_trouble(log))
        return error_set(err, EHOSTDOWN, "gpg-agent cannot be reached, so %s cannot be decrypted; look at gpg.conf and "
                         "gpg-agent.conf, and whether the path of GNUPGHOME is short (its sockets take at most 107 "
                         "bytes): gpg-connect-agent /bye", name);
    return error_set(err, ENOKEY, "%s is encrypted to key %s, but the secret key is not here; import it "
                     "(gpg --import), or log out of the registry and log in again", name, *keys ? keys : "(hidden)");
}

static int explain_pinentry(gpgme_error_t e, const char *name, struct error *err)
{
    switch (gpgme_err_code(e)) {
    case GPG_ERR_ENOTTY:
    case GPG_ERR_ENOENT:
    case GPG_ERR_ENXIO:
    case GPG_ERR_EIO:
        return error_set(err, ENOTTY, "the passphrase of the key for %s is needed, but there is no terminal to ask for "
                         "it on; run docker once from a terminal, or give docker a key without a passphrase", name);
    default:
        return error_set(err, EIO, "pinentry could not ask for the passphrase of the key for %s: %s; "
                         "see pinentry-program in gpg-agent.conf", name, gpg_strerror(e));
    }
}

/* The causes that need no more than their code. */
static const char *describe_code(gpgme_err_code_t code)
{
    switch (code) {
    case GPG_ERR_NO_PIN_ENTRY:
        return "gpg-agent finds no pinentry that can ask for the passphrase; install pinentry-curses, or mend "
               "pinentry-program in gpg-agent.conf";
    case GPG_ERR_CANCELED:
    case GPG_ERR_FULLY_CANCELED:
        return "the passphrase prompt was cancelled; try again";
    case GPG_ERR_TIMEOUT:
        return "nobody answered the passphrase prompt in time; try again";
    case GPG_ERR_BAD_PASSPHRASE:
        return "the passphrase was wrong; try again";
    case GPG_ERR_ENOMEM:
        return "gpg-agent is out of secure memory; put auto-expand-secmem into gpg-agent.conf and run gpgconf "
               "--kill gpg-agent";
    case GPG_ERR_EFBIG:
        return "it is larger than any credential; it was not written by docker login";
    case GPG_ERR_NO_DATA:
    case GPG_ERR_DECRYPT_FAILED:
    case GPG_ERR_BAD_DATA:
    case GPG_ERR_INV_PACKET:
    case GPG_ERR_CHECKSUM:
    case GPG_ERR_EOF:
        return "the entry is damaged or no OpenPGP message; log in again to replace it";
    default:
        return NULL;
    }
}

int gpg_explain_code(gpgme_error_t e, const char *name, struct error *err)
{
    const char *description = describe_code(gpgme_err_code(e));

    if (gpg_card_is_concerned(e))
        return gpg_card_explain(e, NULL, name, err);
    if (description)
        return error_set(err, EIO, "cannot decrypt %s: %s", name, description);
    if (gpgme_err_source(e) == GPG_ERR_SOURCE_PINENTRY)
        return explain_pinentry(e, name, err);
    return error_set(err, EIO, "cannot decrypt %s: %s (%s)", name, gpg_strerror(e), gpg_strsource(e));
}

int gpg_explain_decrypt(struct gpg_context *gpg, gpgme_error_t e, const char *name, struct error *err)
{
    return gpgme_err_code(e) == GPG_ERR_NO_SECKEY ? explain_no_secret_key(gpg, name, err) : gpg_explain_code(e, name, err);
}
