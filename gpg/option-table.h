#pragma once

#include "common/macros.h"

/* The effect of an option of gpg here. */
enum gpg_option_kind {
    GPG_OPTION_UNKNOWN,
    /* does not change what is encrypted or decrypted here, or asks for the default */
    GPG_OPTION_IDLE,
    GPG_OPTION_IDLE_VALUE, /* the same, with a value */
    GPG_OPTION_OUTPUT,     /* the following are refused */
    GPG_OPTION_RECIPIENTS,
    GPG_OPTION_CONFIGURATION,
    GPG_OPTION_PASSPHRASE,
    GPG_OPTION_COMMAND,
};

/* Classifies "--name", "--name=value" or "-x", if gpg/options.c does not handle it itself. Pure. */
enum gpg_option_kind gpg_option_classify(const char *word);

/*
 * Why it is refused and what to do, as the continuation of a sentence that starts with the option.
 * Static.
 */
const char *gpg_option_refusal(enum gpg_option_kind kind);
