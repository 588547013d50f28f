#pragma once

#include <stdbool.h>

#include "common/error.h"
#include "gpg/assuan.h"
#include "gpg/public-key.h"

/*
 * A key on a smartcard. gpg-agent keeps only the card's serial number; scdaemon talks to the card.
 */
struct gpg_card {
    char serial[64]; /* as printed on the card, if known */
    /* libgpg-error's number of the reason why the card does not answer; 0 if it does */
    unsigned refusal;
};

/*
 * Asks the agent whether the key is on a card, and whether that card is in the reader. Nobody is
 * asked for a PIN or a touch. False if the key is not on a card, or if the agent does not say.
 */
bool gpg_card_find(struct assuan *agent, const unsigned char keygrip[KEYGRIP_SIZE],
                   struct gpg_card *ret);

/*
 * The serial number of an OpenPGP card as gpg shows it and as it is printed on the card ("0006
 * 12345678"); for other cards the whole number.
 */
void gpg_card_format_serial(const char *serial, char *ret_text, size_t size);

/*
 * Fills err with the reason why the card's key did not decrypt the file. refusal is the agent's
 * answer; card may be NULL. Returns negative.
 */
int gpg_card_explain(unsigned refusal, const struct gpg_card *card, const char *name,
                     struct error *err);

/*
 * Fills err with the reason why a card's key was not tried when nobody may be asked: the card does
 * not answer, or it may ask for its PIN or a touch (GPG_FAILURE_LOCKED). Returns negative.
 */
int gpg_card_explain_untried(const struct gpg_card *card, const char *name, struct error *err);

/* Whether the error number is about a card. */
bool gpg_card_is_concerned(unsigned refusal);
