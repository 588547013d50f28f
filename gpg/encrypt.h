#pragma once

#include "common/secbuf.h"
#include "gpg/context.h"

/*
 * Encrypts plain (borrowed) to every recipient and appends the OpenPGP message to ret_message, in memory:
 * no compression, no encrypt-to, an empty file name in the literal packet.
 *
 * recipients: ids in any form that `gpg -r` takes, each followed by a newline; at least one.
 * source: where they were named (a file or a variable), for the error text. One recipient that
 * cannot be used fails the whole; so does one that gpg does not trust, which is never asked about.
 * 0, or negative with err naming the recipient, why, and the cure.
 */
int gpg_encrypt(struct gpg_context *gpg, const char *recipients, const char *source, struct secbuf *plain,
                struct secbuf *ret_message, struct error *err) MUST_USE;
