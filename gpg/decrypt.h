#pragma once

#include "common/secbuf.h"
#include "gpg/context.h"

/*
 * Decrypts the OpenPGP message open at fd (a regular file, read from its start) and appends the
 * plaintext to ret_plain, at most limit bytes in all. name is the file, for the error text.
 *
 * May ask for a passphrase on the terminal, without a time limit. If concurrent decryptions exhaust
 * gpg-agent's secure memory, it queues and tries again. 0, or negative with the cause and the cure
 * in err; ret_plain is then unchanged.
 */
int gpg_decrypt(struct gpg_context *gpg, int fd, const char *name, size_t limit,
                struct secbuf *ret_plain, struct error *err) MUST_USE;
