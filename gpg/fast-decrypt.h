#pragma once

#include "common/secbuf.h"
#include "gpg/options.h"

/*
 * Decrypts without starting gpg: reads the message at fd itself, asks gpg-agent for the part that
 * needs the secret key, and does the rest with libgcrypt. It handles messages as pass, gopass and
 * docker's helpers write them, for RSA keys and ECDH over Curve25519 and NIST's curves, in
 * pubring.kbx or keyboxd, with a running agent. It declines everything else, usually within a
 * millisecond, before anybody was asked for anything; gpg_decrypt() does the work then.
 *
 * 0 with the plaintext, at most limit bytes, appended to ret_plain; GPG_FAST_DECLINED with the
 * reason in err; or negative if a person cancelled or could not be asked (gpg_decrypt() would only
 * ask again), or if the user's timeout is invalid. name is the file, for the error text.
 * DOCKER_CREDENTIAL_PASS_FAST=0 in the environment, and a build without the fast path, decline
 * everything.
 */
enum { GPG_FAST_DECLINED = 1 };
int gpg_fast_decrypt(const struct gpg_options *options, int fd, const char *name, size_t limit,
                     struct secbuf *ret_plain, struct error *err) MUST_USE;
