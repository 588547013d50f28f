/*
 * gpg-agent asks for a missing card by pinentry. Without a terminal, or if the person cancels, its
 * error is about the prompt. scdaemon knows the real cause.
 */
#include "gpg/card.h"

#include <errno.h>
#include <gpg-error.h>
#include <stdio.h>
#include <string.h>

#include "gpg/failure.h"

enum { TIMEOUT_MS = 5000, OPENPGP_SERIAL_SIZE = 32 };

void gpg_card_format_serial(const char *serial, char *ret_text, size_t size)
{
    if (strlen(serial) == OPENPGP_SERIAL_SIZE && strncasecmp(serial, "D27600012401", 12) == 0)
        snprintf(ret_text, size, "%.4s %.8s", serial + 16, serial + 20);
    else
        snprintf(ret_text, size, "%s", serial);
}

/*
 * "KEYINFO <grip> T <serial> ...", of a key on a card, or "SERIALNO <serial>", of the card in the
 * reader.
 */
static void take_status(const struct assuan_line *status, char *ret_serial, size_t size)
{
    struct assuan_line rest;
    char text[200] = "", type, serial[64];
    bool is_key = assuan_is(status, "KEYINFO", &rest);

    if (!is_key && !assuan_is(status, "SERIALNO", &rest))
        return;
    memcpy(text, rest.data, rest.size < sizeof(text) ? rest.size : sizeof(text) - 1);
    if (is_key ? sscanf(text, "%*s %c %63s", &type, serial) == 2 && type == 'T'
               : sscanf(text, "%63s", serial) == 1)
        snprintf(ret_serial, size, "%s", serial);
}

/* Sends a command and receives all of its answer. 0; the number of its ERR; or negative. */
static int64_t ask(struct assuan *agent, const char *command, char *ret_serial, size_t size)
{
    struct assuan_line line, rest;
    int r = assuan_send(agent, command, strlen(command));

    while (r == 0) {
        r = assuan_receive(agent, &line);
        if (r < 0 || assuan_is(&line, "OK", NULL))
            return r;
        if (assuan_is(&line, "ERR", &rest))
            return assuan_parse_error(&rest);
        if (assuan_is(&line, "S", &rest))
            take_status(&rest, ret_serial, size);
        else if (assuan_is(&line, "INQUIRE", NULL))
            r = assuan_send(agent, "CAN\n", 4);
    }
    return r;
}

/*
 * Why the card does not answer; 0 if it answers. The first card in a reader may be another card, or
 * may be listed under another number.
 */
static unsigned find_refusal(struct assuan *agent, const char *serial)
{
    char command[128], found[64] = "";
    int64_t r = ask(agent, "SCD SERIALNO\n", found, sizeof(found));

    if (r == 0 && *found && strcasecmp(found, serial) != 0) {
        snprintf(command, sizeof(command), "SCD SERIALNO --demand=%s\n", serial);
        r = ask(agent, command, found, sizeof(found));
    }
    return r > 0 ? (unsigned)r : 0;
}

bool gpg_card_find(struct assuan *agent, const unsigned char keygrip[KEYGRIP_SIZE],
                   struct gpg_card *ret)
{
    char command[64] = "KEYINFO ", serial[64] = "";

    for (size_t i = 0; i < KEYGRIP_SIZE; i++)
        snprintf(command + strlen("KEYINFO ") + 2 * i, 4, "%02X\n", keygrip[i]);
    assuan_set_timeout(agent, TIMEOUT_MS);
    if (ask(agent, command, serial, sizeof(serial)) != 0 || !*serial)
        return false;
    *ret = (struct gpg_card){.refusal = find_refusal(agent, serial)};
    gpg_card_format_serial(serial, ret->serial, sizeof(ret->serial));
    return true;
}

bool gpg_card_is_concerned(unsigned refusal)
{
    switch (gpg_err_code(refusal)) {
    case GPG_ERR_NO_SCDAEMON:
    case GPG_ERR_SCDAEMON:
    case GPG_ERR_CARD:
    case GPG_ERR_CARD_NOT_PRESENT:
    case GPG_ERR_CARD_REMOVED:
    case GPG_ERR_CARD_RESET:
    case GPG_ERR_CARD_NOT_INITIALIZED:
    case GPG_ERR_INV_CARD:
    case GPG_ERR_WRONG_CARD:
    case GPG_ERR_BAD_PIN:
    case GPG_ERR_PIN_BLOCKED:
    case GPG_ERR_PIN_NOT_SYNCED:
        return true;
    default:
        return gpg_err_source(refusal) == GPG_ERR_SOURCE_SCD;
    }
}

/* The reason and what to do; NULL if the code tells neither. */
static const char *describe(unsigned refusal)
{
    switch (gpg_err_code(refusal)) {
    case GPG_ERR_NO_SCDAEMON:
        return "the program that talks to smartcards is missing; install scdaemon";
    case GPG_ERR_CARD_NOT_PRESENT:
    case GPG_ERR_CARD_REMOVED:
    case GPG_ERR_WRONG_CARD:
    case GPG_ERR_NOT_FOUND:
        return "it is not in the reader; insert it and try again";
    case GPG_ERR_ENODEV: /* also if another program holds the reader */
        return "it is not in the reader, or another program uses it; insert it, or end that "
               "program and run: gpgconf --kill scdaemon";
    case GPG_ERR_CONFLICT:
    case GPG_ERR_EBUSY:
    case GPG_ERR_LOCKED:
        return "another program uses it; end that program and run: gpgconf --kill scdaemon";
    case GPG_ERR_EACCES:
    case GPG_ERR_EPERM:
        return "this user may not use the reader; install pcscd, or udev rules for the reader";
    case GPG_ERR_CARD_RESET:
        return "it was reset meanwhile; try again";
    case GPG_ERR_BAD_PIN:
        return "the PIN was wrong; try again, but mind that the card is blocked after three wrong "
               "ones";
    case GPG_ERR_PIN_BLOCKED:
        return "its PIN is blocked after too many wrong ones; unblock it with the reset code or "
               "the admin PIN: gpg --change-pin";
    case GPG_ERR_CANCELED:
    case GPG_ERR_FULLY_CANCELED:
        return "the prompt was cancelled; try again";
    case GPG_ERR_TIMEOUT:
        return "nobody typed the PIN or touched the card in time; try again";
    case GPG_ERR_NO_PIN_ENTRY:
        return "gpg-agent finds no pinentry that can ask for its PIN; install pinentry-curses, or "
               "correct pinentry-program in gpg-agent.conf";
    default:
        return NULL;
    }
}

int gpg_card_explain(unsigned refusal, const struct gpg_card *card, const char *name,
                     struct error *err)
{
    unsigned cause = card && card->refusal ? card->refusal : refusal;
    int code =
        gpg_err_code(cause) == GPG_ERR_NO_SCDAEMON ? GPG_FAILURE_NO_SCDAEMON : GPG_FAILURE_CARD;
    const char *description = describe(cause);

    if (!description && gpg_err_source(refusal) == GPG_ERR_SOURCE_PINENTRY)
        description = "its PIN is needed, but there is no terminal to ask for it on; run docker "
                      "once from a terminal";
    if (card)
        return error_set(err, code,
                         "cannot decrypt %s: the key is on the smartcard with serial number %s: %s",
                         name, card->serial, description ? description : gpg_strerror(cause));
    return error_set(err, code, "cannot decrypt %s: the key is on a smartcard: %s", name,
                     description ? description : gpg_strerror(cause));
}

int gpg_card_explain_untried(const struct gpg_card *card, const char *name, struct error *err)
{
    if (card->refusal)
        return gpg_card_explain(card->refusal, card, name, err);
    return error_set(
        err, GPG_FAILURE_LOCKED,
        "the key for %s is on the smartcard with serial number %s, which may ask for its PIN "
        "or for a touch",
        name, card->serial);
}
