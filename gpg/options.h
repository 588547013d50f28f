#pragma once

#include <stdbool.h>

#include "common/error.h"

enum gpg_pinentry_mode {
    GPG_PINENTRY_DEFAULT,
    GPG_PINENTRY_ASK,
    GPG_PINENTRY_CANCEL,
    GPG_PINENTRY_ERROR
};

/* The user's options for gpg; all zero is the default. */
struct gpg_options {
    char *homedir;     /* --homedir; owned, NULL: GNUPGHOME or ~/.gnupg */
    char *trust_model; /* --trust-model; owned, NULL: gpg's default */
    bool has_armor;
    bool has_hidden_recipients; /* --throw-keyids */
    enum gpg_pinentry_mode pinentry_mode;
};

/*
 * Reads PASSWORD_STORE_GPG_OPTS as pass does: words separated by blanks. Options that GPGME
 * supports are applied; options that cannot change where the plaintext goes, or who can read it,
 * are accepted (gpg/option-table.c); any other is an error that names it and the reason. NULL and
 * "" are no options. On success *ret is owned by the caller (gpg_options_done).
 */
int gpg_options_parse(const char *text, struct gpg_options *ret, struct error *err) MUST_USE;
void gpg_options_done(struct gpg_options *options);
