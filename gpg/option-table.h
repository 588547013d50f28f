#pragma once

#include "common/macros.h"

/* What an option of gpg means here. */
enum gpg_option_kind {
    GPG_OPTION_UNKNOWN,
    GPG_OPTION_IDLE,       /* has no effect on what is encrypted or decrypted here, or asks for what is done anyway */
    GPG_OPTION_IDLE_VALUE, /* the same, and a value belongs to it */
    GPG_OPTION_OUTPUT,     /* from here on they are refused */
    GPG_OPTION_RECIPIENTS,
    GPG_OPTION_CONFIGURATION,
    GPG_OPTION_PASSPHRASE,
    GPG_OPTION_COMMAND,
};

/* Classifies "--name", "--name=value" or "-x", of those that gpg/options.c does not carry out itself. Pure. */
enum gpg_option_kind gpg_option_classify(const char *word);

/* Why it is refused and what to do, to follow the option's name in a sentence. Static. */
const char *gpg_option_refusal(enum gpg_option_kind kind);
