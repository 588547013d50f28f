#pragma once

#include "common/error.h"
#include "gpg/context.h"

/*
 * For a trial that may ask nobody: keeps gpg from using a smartcard, which may ask for its PIN on a keypad of its own, or for a
 * touch. 0 if no key on a card can decrypt the message open at fd. Negative if one can: the card's fault if it does not answer,
 * else GPG_FAILURE_LOCKED. name is the file, for the error text.
 */
int gpg_card_guard(struct gpg_context *gpg, int fd, const char *name, struct error *err) MUST_USE;
