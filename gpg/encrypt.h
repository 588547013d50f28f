#pragma once

#include "common/secbuf.h"
#include "gpg/context.h"

/*
 * Encrypts plain (borrowed) to every recipient and appends the OpenPGP message to ret_message, in
 * memory: without compression, without encrypt-to, and with an empty file name in the literal
 * packet.
 *
 * recipients: ids in any form that `gpg -r` accepts, each followed by a newline; at least one.
 * source: where they were named (a file or a variable), for the error text. If one recipient cannot
 * be used or is not trusted, nothing is encrypted; nobody is asked about trust. 0, or negative with
 * the recipient, the cause and the cure in err.
 */
int gpg_encrypt(struct gpg_context *gpg, const char *recipients, const char *source,
                struct secbuf *plain, struct secbuf *ret_message, struct error *err) MUST_USE;
