#pragma once

#include "gpg/context-private.h"

/*
 * Turns GPGME's error of the operation just done into a sentence a person can act on. Always
 * returns negative, with err filled.
 */
int gpg_explain_decrypt(struct gpg_context *gpg, gpgme_error_t e, const char *name, struct error *err);

/* The same for a code that needs no context to be explained. */
int gpg_explain_code(gpgme_error_t e, const char *name, struct error *err);

int gpg_explain_encrypt(struct gpg_context *gpg, gpgme_error_t e, const char *source, struct error *err);
