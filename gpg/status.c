/*
 * The lines are described in GnuPG's doc/DETAILS.
 */
#include "gpg/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "<location> <code>"; a location of another kind than these says nothing that is needed here. */
static void note_error(struct gpg_status *status, const char *args)
{
    gpg_error_t code = (gpg_error_t)strtoul(args + strcspn(args, " "), NULL, 10);

    if (begins_with(args, "pkdecrypt_failed "))
        status->key_error = code;
    else if (begins_with(args, "set_pinentry_mode "))
        status->has_refused_mode = true;
    else if (begins_with(args, "add_keyblock_resource ") || begins_with(args, "keydb_"))
        status->has_keyring_failure = true;
    else if (begins_with(args, "keylist.") && gpg_err_code(code) != GPG_ERR_NO_PUBKEY &&
             gpg_err_code(code) != GPG_ERR_NOT_FOUND && gpg_err_code(code) != GPG_ERR_NO_SECKEY)
        status->has_keyring_failure = true;
}

/* Whether the third of several words is a number other than 0. */
static bool has_third_number(const char *args)
{
    for (int i = 0; i < 2; i++) {
        args = strchr(args, ' ');
        if (!args)
            return false;
        args++;
    }
    return strtol(args, NULL, 10) > 0;
}

/* "<mdc method> <cipher> [<aead algorithm>]". GnuPG 2.2 does not name the algorithm. */
static void note_decryption(struct gpg_status *status, const char *args)
{
    status->has_session_key = true;
    status->has_no_mdc |= begins_with(args, "0 ");
    status->has_aead |= has_third_number(args);
}

bool gpg_status_is_unauthentic(const struct gpg_status *status)
{
    return status->has_no_mdc && status->has_no_data;
}

void gpg_status_note(struct gpg_status *status, const char *keyword, const char *args)
{
    if (*keyword)
        status->has_spoken = true;
    if (strcmp(keyword, "END_ENCRYPTION") == 0)
        status->has_encrypted = true;
    else if (strcmp(keyword, "FAILURE") == 0)
        status->has_option_failure |= begins_with(args, "option-");
    else if (strcmp(keyword, "ERROR") == 0)
        note_error(status, args);
    else if (strcmp(keyword, "NODATA") == 0)
        status->has_no_data = true;
    else if (strcmp(keyword, "DECRYPTION_INFO") == 0)
        note_decryption(status, args);
    else if (strcmp(keyword, "INQUIRE_MAXLEN") == 0)
        status->wants_loopback = true;
    else if (strcmp(keyword, "PINENTRY_LAUNCHED") == 0)
        status->prompts++;
    else if (strcmp(keyword, "ENC_TO") == 0) {
        status->has_recipient = true;
        status->has_hidden_recipient |= begins_with(args, "0000000000000000");
    }
}
