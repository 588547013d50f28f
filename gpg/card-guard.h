#pragma once

#include "common/error.h"
#include "gpg/context.h"

/*
 * For a trial in which nobody may be asked: prevents gpg from using a smartcard, which may ask for
 * its PIN on its own keypad, or for a touch. 0 if no key on a card can decrypt the message open at
 * fd. Negative otherwise: the card's failure if it does not answer, else GPG_FAILURE_LOCKED. name
 * is the file, for the error text.
 */
int gpg_card_guard(struct gpg_context *gpg, int fd, const char *name, struct error *err) MUST_USE;
