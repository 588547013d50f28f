#pragma once

#include "common/error.h"
#include "gpg/options.h"

/*
 * One GPGME context, set up so that it never goes to the network, asks for passphrases on the
 * user's terminal, and starts two processes in all (`gpg --version` and the operation itself).
 * Create one context in a process: the first operation pays for the setup.
 */
struct gpg_context;

/* On success *ret is owned by the caller, free with gpg_context_free(). options is borrowed. */
int gpg_context_new(const struct gpg_options *options, struct gpg_context **ret,
                    struct error *err) MUST_USE;
void gpg_context_free(struct gpg_context *gpg);

static inline void gpg_context_freep(struct gpg_context **gpg)
{
    gpg_context_free(*gpg);
}
