#pragma once

#include <stddef.h>

#include "gpg/context.h"

/*
 * Checks the detached signature over data: one of its signers must have a fingerprint (of the
 * signing key or its primary) that is a word of fingerprints. A signer that is revoked or expired
 * is refused, which pass accepts. name is the signed file, for the error text. 0 or negative.
 */
int gpg_verify(struct gpg_context *gpg, const char *data, size_t size, const char *signature,
               size_t signature_size, const char *fingerprints, const char *name,
               struct error *err) MUST_USE;
