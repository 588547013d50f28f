#pragma once

#include "gpg/access.h"
#include "gpg/context-private.h"

/*
 * Turn GPGME's error of the operation just done into a sentence a person can act on, with one of gpg/failure.h as its
 * code. Each returns negative, with err filled.
 */
int gpg_explain_decrypt(struct gpg_context *gpg, gpgme_error_t e, const char *name, struct error *err);
int gpg_explain_encrypt(struct gpg_context *gpg, gpgme_error_t e, const char *source, struct error *err);

/* The same for a code that needs no more than the pinentry mode to be explained. */
int gpg_explain_code(enum gpg_pinentry_mode mode, gpgme_error_t e, const char *name, struct error *err);

/* For a gpg that refuses its configuration: words are its own (gpg/words.h). */
int gpg_explain_configuration(const char *words, struct error *err);

/* The file in the home directory of this context's gpg that keeps it from its keys; and that in words. */
bool gpg_find_barrier(struct gpg_context *gpg, struct gpg_barrier *ret);
int gpg_explain_barrier(const struct gpg_barrier *barrier, struct error *err);
