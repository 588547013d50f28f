#pragma once

#include "gpg/access.h"
#include "gpg/context-private.h"

/*
 * Turn GPGME's error of the last operation into a sentence that a person can act on, with a code
 * from gpg/failure.h. Each returns negative with err filled.
 */
int gpg_explain_decrypt(struct gpg_context *gpg, gpgme_error_t e, const char *name,
                        struct error *err);
int gpg_explain_encrypt(struct gpg_context *gpg, gpgme_error_t e, const char *source,
                        struct error *err);

/* The same for an error code that can be explained without gpg's status lines. */
int gpg_explain_code(enum gpg_pinentry_mode mode, gpgme_error_t e, const char *name,
                     struct error *err);

/* For a gpg that refuses its configuration; words are its own (gpg/words.h). */
int gpg_explain_configuration(const char *words, struct error *err);

/*
 * Finds a file in this gpg's home directory that the user may not read; the second puts it into
 * words.
 */
bool gpg_find_barrier(struct gpg_context *gpg, struct gpg_barrier *ret);
int gpg_explain_barrier(const struct gpg_barrier *barrier, struct error *err);
