#pragma once

#include "common/secbuf.h"
#include "gpg/options.h"

/*
 * Decrypts without starting gpg: reads the message at fd itself, asks gpg-agent for what needs the secret key, and does the
 * rest by libgcrypt. What it takes on are messages as pass, gopass and docker's helpers write them, for RSA keys and ECDH over Curve25519
 * and NIST's curves in pubring.kbx, with an agent that runs. Everything else it declines, usually within a millisecond: then
 * gpg_decrypt() is to do it, and nobody has been asked for anything.
 *
 * 0 with the plaintext, at most limit bytes, appended to ret_plain; GPG_FAST_DECLINED with err saying why, for whoever wants to
 * tell; or negative, where a person has cancelled or could not be asked (err is what gpg_decrypt() would say, and doing
 * it again would ask again), or the user's patience is no number. name is the file, for the error text. DOCKER_CREDENTIAL_PASS_FAST=0 in the environment, and a
 * build without it, decline everything.
 */
enum { GPG_FAST_DECLINED = 1 };
int gpg_fast_decrypt(const struct gpg_options *options, int fd, const char *name, size_t limit, struct secbuf *ret_plain,
                     struct error *err) MUST_USE;
